# What the experiments' scripts share; read with `source`. Leaves the shell at the root of the repository.
# shellcheck shell=bash
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1
export LC_ALL=C.UTF-8 # decimal points, whatever the user's language
bninception=${BNINCEPTION:-build/release/bninception} # BNINCEPTION: a program that was built elsewhere, used as it is
trainings=() # process ids

# Ends the script with a message.
fail() { echo "$(basename "$0"): $*" >&2; exit 2; }

build_programs() {
  [ -z "${BNINCEPTION:-}" ] || return 0
  bash experiments/install_packages.sh build
  cmake --preset release >/dev/null
  cmake --build --preset release --target bninception bn-data
}

# Makes OUT/{train/*.tar,val.tar,synsets.txt} of SOURCE, the folder tiny-imagenet: 64 shards of training images in an
# order drawn once, the same everywhere. SOURCE's own tars hold ten classes each, so batches read in order would too.
shard_tiny_imagenet() {
  local source=$1 out=$2 work list
  [ -f "$source/train-00.tar" ] || fail "there is no $source/train-00.tar; set BN_DATA_ROOT to the folder that holds tiny-imagenet."
  work=$(mktemp -d)
  rm -rf "$out.part"
  mkdir -p "$out.part/train"
  for list in "$source"/train-*.tar; do tar -x -f "$list" -C "$work"; done
  (cd "$work" && find train -name '*.JPEG' | LC_ALL=C sort) | shuf --random-source=<(yes) |
    split -d -a 2 -n r/64 - "$work/list_"
  for list in "$work"/list_*; do
    tar -c -f "$out.part/train/${list##*_}.tar" -C "$work" --format=ustar --mtime=@0 --owner=0 --group=0 \
      --numeric-owner --mode=0644 -T "$list"
  done
  cp "$source/val.tar" "$source/synsets.txt" "$out.part/"
  rm -rf "$work"
  mv "$out.part" "$out"
}

# Sets BN_DATA_ROOT to a folder that holds tiny-imagenet-shards, made where it is missing.
use_tiny_imagenet_shards() {
  [ ! -d "${BN_DATA_ROOT:-}/tiny-imagenet-shards" ] || return 0
  if [ ! -d runs/data/tiny-imagenet-shards ]; then
    [ -n "${BN_DATA_ROOT:-}" ] || fail "set BN_DATA_ROOT to the folder that holds tiny-imagenet."
    mkdir -p runs/data
    shard_tiny_imagenet "$BN_DATA_ROOT/tiny-imagenet" runs/data/tiny-imagenet-shards
  fi
  BN_DATA_ROOT=$PWD/runs/data
  export BN_DATA_ROOT
}

# Options of the scripts that run a sweep in stages: sets jobs, minutes, out (its default first), plan_only and overrides.
read_sweep_options() {
  jobs=$(nproc) minutes=75 plan_only=no overrides=()
  while [ $# -gt 0 ]; do
    case "$1" in
      --jobs | --minutes)
        [[ "${2:-}" =~ ^[1-9][0-9]*$ ]] || fail "$1 needs a positive number."
        if [ "$1" = --jobs ]; then jobs=$2; else minutes=$2; fi
        ;;
      --out) [ -n "${2:-}" ] || fail "--out needs a folder."; out=$2 ;;
      --set) [ -n "${2:-}" ] || fail "--set needs key.path=value."; overrides+=(--set "$2") ;;
      --dry-run) plan_only=yes; shift; continue ;;
      *) fail "unknown argument '$1'; the options are --jobs N, --minutes N, --out DIR, --set KEY=VALUE and --dry-run." ;;
    esac
    shift 2
  done
}

# run_study SWEEP OUT: goes on with the sweep for `minutes` at most, then writes OUT/report. Ends the script when there
# is more to do, when a run has crashed, and with --dry-run, after the plan.
run_study() {
  local sweep=$1 out=$2 status=0
  if [ "$plan_only" = yes ]; then
    "$bninception" sweep "$sweep" --out "$out" --jobs "$jobs" "${overrides[@]}" --dry-run
    exit 0
  fi
  timeout --foreground --signal=TERM "${minutes}m" \
    "$bninception" sweep "$sweep" --out "$out" --jobs "$jobs" "${overrides[@]}" || status=$?
  case $status in
    0) "$bninception" report "$out" --out "$out/report" ;;
    1) "$bninception" report "$out" --out "$out/report" || true; exit 1 ;; # a run crashed: the report names it
    9 | 124) echo "This stage is over and everything is saved; the same command goes on."; exit 9 ;;
    *) exit $status ;;
  esac
}

# start_training NAME CONFIG OUT [ARGUMENT...]: in the background, NAME before each line that it prints. An earlier run
# in the folder OUT is replaced.
start_training() {
  local name=$1 config=$2 out=$3
  shift 3
  rm -rf "$out"
  "$bninception" train "$config" --out "$out" "$@" > >(sed -u "s/^/$(printf '%-11s' "$name")| /") 2>&1 &
  trainings+=($!)
}

# Until all started trainings have ended; fails if one did.
wait_for_trainings() {
  local status=0 training
  for training in "${trainings[@]}"; do wait "$training" || status=$?; done
  trainings=()
  return "$status"
}

# An interrupted script takes its trainings along; each writes a checkpoint first.
stop_trainings() {
  [ ${#trainings[@]} -eq 0 ] || kill -TERM "${trainings[@]}" 2>/dev/null || true
  wait
  exit 130
}
trap stop_trainings INT TERM

# log_columns EVENT "FIELD..." RUN: a table of the run's log on standard output.
log_columns() {
  awk -v event="$1" -v fields="$2" -f experiments/plots/log_columns.awk "$3/log.jsonl"
}

# draw SCRIPT FIGURE [ARGUMENT...]: FIGURE.svg and FIGURE.png.
draw() {
  local script=$1 figure=$2 format
  shift 2
  for format in svg png; do gnuplot -c "$script" "$format" "$figure.$format" "$@"; done
}
