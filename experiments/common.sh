# What the experiments' scripts share; read with `source`. Leaves the shell at the root of the repository.
# shellcheck shell=bash
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1
export LC_ALL=C.UTF-8 # decimal points, whatever the user's language
bninception=build/release/bninception
trainings=() # process ids

# Ends the script with a message.
fail() { echo "$(basename "$0"): $*" >&2; exit 2; }

build_programs() {
  bash experiments/install_packages.sh build
  cmake --preset release >/dev/null
  cmake --build --preset release --target bninception bn-data
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
