# The experiments' scripts read this with `source` and share it. It leaves the shell at the root of the repository.
# shellcheck shell=bash
caller=$PWD # the folder that the user's paths are relative to
script=$(realpath -- "$0")
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1
export LC_ALL=C.UTF-8 # decimal points, whatever the user's language
root='' # before a path in the repository: then it is right here and in the caller's folder
[ "$caller" = "$PWD" ] || root=$PWD/
trainings=() printers=() # process ids

# from_caller PATH: a path that the user gave, as it is called from here.
from_caller() { if [[ $1 = /* || -z $root ]]; then echo "$1"; else realpath -ms -- "$caller/$1"; fi; }

# shown PATH: a path as the user can type it.
shown() {
  local path
  path=$(realpath -ms -- "$1")
  echo "${path#"$caller"/}"
}

# Ends the script with a message.
fail() { echo "$(basename "$script"): $*" >&2; exit 2; }

# print_help [TEXT]: the comment at the head of the script, then the text.
print_help() {
  awk 'NR == 1 { next } !/^#/ || /^# shellcheck/ { exit } { sub(/^# ?/, ""); print }' "$script"
  [ $# -eq 0 ] || echo "$1"
  exit 0
}

# take_no_options ARGUMENT...: answers --help as the first of them, and refuses any other option there.
take_no_options() {
  case "${1:-}" in
    -h | --help) print_help ;;
    -*) fail "unknown option '$1'; there is none but --help." ;;
  esac
}

bninception=${root}build/release/bninception
if [ -n "${BNINCEPTION:-}" ]; then # built elsewhere, used as it is; a name without a slash is found in PATH
  bninception=$BNINCEPTION
  [[ $bninception != */* ]] || bninception=$(from_caller "$bninception")
fi
if [ -n "${BN_DATA_ROOT:-}" ]; then BN_DATA_ROOT=$(realpath -ms -- "$(from_caller "$BN_DATA_ROOT")"); fi

cuda=no # yes: the CUDA backend is wanted although no GPU is visible
wants_cuda() { [ $cuda = yes ] || [ -e /dev/nvidiactl ] || nvidia-smi -L >/dev/null 2>&1; }

install_packages() {
  local groups=(run)
  ! wants_cuda || groups+=(cuda)
  bash experiments/install_packages.sh "${groups[@]}"
}

# python_environment FOLDER PACKAGE==VERSION...: a virtual environment with these packages from PyPI; nothing is done where
# it has them already.
python_environment() {
  local folder=$1
  shift
  [ "$(cat "$folder/packages" 2>/dev/null)" != "$*" ] || return 0
  rm -rf "$folder"
  echo "Fetching $* from PyPI" >&2
  if ! { python3 -m venv "$folder" && "$folder/bin/python" -m pip install --quiet --disable-pip-version-check "$@"; }; then
    rm -rf "$folder"
    return 1
  fi
  echo "$*" >"$folder/packages"
}

# fetch_wheels FOLDER WHEEL==VERSION...: FOLDER/include and FOLDER/lib out of wheels from PyPI that carry headers and
# libraries; nothing is done where they are there already, and FOLDER is whole or as it was.
fetch_wheels() {
  local folder=$1 work
  shift
  [ "$(cat "$folder/version" 2>/dev/null)" != "$*" ] || return 0
  mkdir -p .cache
  work=$(mktemp -d .cache/wheels.XXXXXX)
  echo "Fetching $* from PyPI"
  if python3 -m pip download --quiet --disable-pip-version-check --no-deps --only-binary :all: --dest "$work" "$@" &&
    python3 -c '
import glob, os, re, sys, zipfile
for path in glob.glob(sys.argv[1] + "/*.whl"):
    wheel = zipfile.ZipFile(path)
    for name in wheel.namelist():
        place = re.match(r"(?:[^/]*[.]data/data/|nvidia/[a-z0-9_]+/)?((?:include|lib)/.*[^/])$", name)
        if place:
            target = os.path.join(sys.argv[1], "whole", place.group(1))
            os.makedirs(os.path.dirname(target), exist_ok=True)
            open(target, "wb").write(wheel.read(name))
' "$work" && [ -d "$work/whole" ]; then
    echo "$*" >"$work/whole/version"
    rm -rf "$folder"
    mv "$work/whole" "$folder"
    rm -rf "$work"
  else
    rm -rf "$work"
    return 1
  fi
}

# configure [SETTING...]: build/release; new, it is for the programs alone, and without CUDA where that is of no use. What
# it was configured for before, it keeps.
configure() {
  local build=build/release cache=build/release/CMakeCache.txt version home generator
  version=$(cmake --version 2>/dev/null | sed -n '1s/.* version //p') || true
  [ -n "$version" ] || fail "there is no cmake: please install version 3.25 or newer, then try again."
  [ "$(printf '%s\n' 3.25 "$version" | sort -V | head -n 1)" = 3.25 ] ||
    fail "cmake is version $version: please put 3.25 or newer first in PATH ('pip install cmake' has one), then try again."
  if [ -f $cache ]; then
    home=$(sed -n 's/^CMAKE_HOME_DIRECTORY:INTERNAL=//p' $cache)
    generator=$(sed -n 's/^CMAKE_GENERATOR:INTERNAL=//p' $cache)
    if [ "$generator" != Ninja ] || ! [ "$home" -ef . ]; then
      echo "$(shown $build) was configured for $home with $generator: it is configured again."
      rm -rf $cache $build/CMakeFiles $build/build.ninja
    fi
  fi
  if [ -f $build/build.ninja ]; then
    set -- "$@" $build
  else
    wants_cuda || set -- -DBN_CUDA=OFF "$@"
    set -- --preset release -DBN_BUILD_TESTS=OFF "$@"
  fi
  cmake "$@" | sed -n 's/^-- \(.*\(runs on the CPU only\|device cuda is built\)\)/  \1/p'
}

# compile TARGET...: on a terminal Ninja rewrites one line; elsewhere there is a line at each quarter.
compile() {
  local NINJA_STATUS='  %p of %t steps: '
  export NINJA_STATUS
  if [ -t 1 ]; then
    cmake --build build/release --parallel "$(nproc)" --target "$@"
  else
    cmake --build build/release --parallel "$(nproc)" --target "$@" | awk '
      /^ +[0-9]+% of/ { for (; $3 > 9 && $1 + 0 >= quarter + 25; fflush()) print "  " (quarter += 25) " %"; next }
      !/^ninja: no work to do/ { print; fflush() }'
  fi
}

# build TARGET...: with what it needs.
build() {
  install_packages
  configure
  compile "$@"
}

# build_beside_tests TARGET...: what is configured together with the tests.
build_beside_tests() {
  bash experiments/install_packages.sh run test
  configure -DBN_BUILD_TESTS=ON
  compile "$@"
}

build_programs() { [ -n "${BNINCEPTION:-}" ] || build bninception; }

# train_values CONFIG KEY...: what the resolved configuration has for these keys of its section train, separated by spaces.
train_values() {
  "$bninception" config show "$1" | awk -v keys="${*:2}" '
    /^[a-z]/ { inside = $1 == "train:" }
    inside { value[$1] = $2 }
    END { count = split(keys, key, " "); for (i = 1; i <= count; ++i) printf "%s ", value[key[i] ":"] }'
}

has_mnist() { [ -f "${BN_DATA_ROOT:-}/mnist/train-images-idx3-ubyte.gz" ]; }
need_mnist() {
  has_mnist || fail "set BN_DATA_ROOT to the folder that holds MNIST, four files that many sites offer:
mnist/train-images-idx3-ubyte.gz, train-labels-idx1-ubyte.gz, t10k-images-idx3-ubyte.gz and t10k-labels-idx1-ubyte.gz."
}

# Copies the images of the 40 classes from DATA to OUT/{train,val}/CLASS. DATA has tiny-imagenet-200, which is
# tiny-imagenet-200.zip of Stanford's course CS231n, unpacked; or tiny-imagenet, the same images in tars of such folders.
copy_tiny_imagenet() {
  local data=$1 out=$2 classes=configs/tiny_imagenet/synsets.txt archive class image
  if [ -f "$data/tiny-imagenet/train-00.tar" ]; then
    for archive in "$data"/tiny-imagenet/*.tar; do tar -x -f "$archive" -C "$out"; done
  elif [ -f "$data/tiny-imagenet-200/val/val_annotations.txt" ]; then
    while read -r class _; do
      mkdir -p "$out/train/$class" "$out/val/$class"
      cp "$data/tiny-imagenet-200/train/$class/images/"*.JPEG "$out/train/$class/"
    done <$classes
    awk 'NR == FNR { wanted[$1]; next } $2 in wanted { print $1, $2 }' $classes "$data/tiny-imagenet-200/val/val_annotations.txt" |
      while read -r image class; do cp "$data/tiny-imagenet-200/val/images/$image" "$out/val/$class/"; done
  else
    fail "set BN_DATA_ROOT to the folder that holds tiny-imagenet-200, which is tiny-imagenet-200.zip of Stanford's course \
CS231n (240 MB), unpacked."
  fi
}

# Makes OUT/{train/*.tar,val.tar,synsets.txt} of the images that DATA has: 64 shards of training images in an order drawn
# once, the same everywhere.
shard_tiny_imagenet() {
  local data=$1 out=$2 work list
  local pack=(tar -c --format=ustar --mtime=@0 --owner=0 --group=0 --numeric-owner --mode=0644)
  work=$(mktemp -d)
  rm -rf "$out.part"
  mkdir -p "$out.part/train"
  copy_tiny_imagenet "$data" "$work"
  (cd "$work" && find train -name '*.JPEG' | LC_ALL=C sort) | shuf --random-source=<(yes) |
    split -d -a 2 -n r/64 - "$work/list_"
  for list in "$work"/list_*; do "${pack[@]}" -f "$out.part/train/${list##*_}.tar" -C "$work" -T "$list"; done
  (cd "$work" && find val -name '*.JPEG' | LC_ALL=C sort) | "${pack[@]}" -f "$out.part/val.tar" -C "$work" -T -
  cp configs/tiny_imagenet/synsets.txt "$out.part/"
  rm -rf "$work"
  mv "$out.part" "$out"
}

# Sets BN_DATA_ROOT to a folder that holds tiny-imagenet-shards, made where it is missing.
use_tiny_imagenet_shards() {
  [ ! -d "${BN_DATA_ROOT:-}/tiny-imagenet-shards" ] || return 0
  if [ ! -d runs/data/tiny-imagenet-shards ]; then
    mkdir -p runs/data
    shard_tiny_imagenet "${BN_DATA_ROOT:-}" runs/data/tiny-imagenet-shards
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
      --out) [ -n "${2:-}" ] || fail "--out needs a folder."; out=$(from_caller "$2") ;;
      --set) [ -n "${2:-}" ] || fail "--set needs key.path=value."; overrides+=(--set "$2") ;;
      --dry-run) plan_only=yes; shift; continue ;;
      -h | --help)
        print_help "--dry-run: only the plan of what comes next, and its time on this machine. --minutes: of this stage [75]; the same
command goes on where it ended, or was stopped or killed. --set: for all runs, such as device=cuda."
        ;;
      *) fail "unknown argument '$1'; the options are --jobs N, --minutes N, --out DIR, --set KEY=VALUE and --dry-run." ;;
    esac
    shift 2
  done
}

# run_study SWEEP OUT: goes on with the sweep for `minutes` at most, then writes OUT/report; with --dry-run, prints the plan.
# Ends the script when there is more to do, and when a run has crashed.
run_study() {
  local sweep=$1 out=$2 status=0
  if [ "$plan_only" = yes ]; then
    "$bninception" sweep "$sweep" --out "$out" --jobs "$jobs" "${overrides[@]}" --dry-run
    return
  fi
  # In the background, so that a signal to this script alone is answered at once: by stop_trainings.
  timeout --foreground --signal=TERM "${minutes}m" \
    "$bninception" sweep "$sweep" --out "$out" --jobs "$jobs" "${overrides[@]}" &
  trainings=($!)
  wait $! || status=$?
  trainings=()
  case $status in
    0) "$bninception" report "$out" --out "$out/report" ;;
    1) "$bninception" report "$out" --out "$out/report" || true; exit 1 ;; # a run crashed: the report names it
    9 | 124) echo "This stage is over and everything is saved; the same command goes on."; exit 9 ;;
    *) exit $status ;;
  esac
}

# start_training NAME CONFIG OUT [ARGUMENT...]: in the background, NAME before each line that it prints, but for those
# between two evaluations. An earlier run in the folder OUT is replaced; any other content is left alone.
start_training() {
  local name=$1 config=$2 out=$3
  shift 3
  if [ -e "$out" ] && [ ! -f "$out/config.yaml" ]; then
    fail "$(shown "$out") is there and is no run: name another folder with --out, or move it away."
  fi
  rm -rf "$out"
  local pipe
  exec {pipe}> >(sed -u "/images\/s/d; s/^/$(printf '%-11s' "$name")| /")
  printers+=($!)
  "$bninception" train "$config" --out "$out" "$@" >&"$pipe" 2>&1 {pipe}>&- &
  trainings+=($!)
  exec {pipe}>&-
}

# Until all started trainings have ended; fails if one did.
wait_for_trainings() {
  local status=0 training
  for training in "${trainings[@]}"; do wait "$training" || status=$?; done
  wait "${printers[@]}" 2>/dev/null || true
  trainings=() printers=()
  return "$status"
}

# An interrupted script takes its trainings along; each writes a checkpoint first.
stop_trainings() {
  trap '' TERM # the same request once more must not end the wait
  [ ${#trainings[@]} -eq 0 ] || kill -TERM "${trainings[@]}" 2>/dev/null || true
  wait
  exit 130
}
trap stop_trainings INT TERM

# write_curves FOLDER RUN...: FOLDER/curves.csv, every curve of the runs; src/report/FORMATS.md has its columns.
write_curves() { "$bninception" report "${@:2}" --out "$1" --keep >/dev/null; }

# columns FOLDER ARM SEED NAME...: those columns of curves.csv, separated by tabs, where a line has them all.
columns() {
  awk -F, -v arm="$2" -v seed="$3" -v names="${*:4}" '
    NR == 1 { for (i = 1; i <= NF; ++i) place[$i] = i; count = split(names, name, " "); next }
    $1 == arm && $2 == seed {
      line = ""
      for (i = 1; i <= count; ++i) {
        if ($place[name[i]] == "") next
        line = line (i > 1 ? "\t" : "") $place[name[i]]
      }
      print line
    }' "$1/curves.csv"
}

# Student's 97.5 % quantiles for 1 to 9 degrees of freedom, for intervals of 95 %.
# shellcheck disable=SC2034  # read by the scripts that print such intervals
student_quantiles="12.706 4.303 3.182 2.776 2.571 2.447 2.365 2.306 2.262"

# calculate EXPRESSION [FORMAT]: in awk. mawk takes `a > b` for a file to print to where there are no parentheses.
calculate() { awk "BEGIN { printf \"${2:-%.2f}\", ($1) }"; }

# draw SCRIPT FIGURE [ARGUMENT...]: FIGURE.svg and FIGURE.png.
draw() {
  local script=$1 figure=$2 format
  shift 2
  for format in svg png; do gnuplot -d -c "$script" "$format" "$figure.$format" "$@"; done
}
