#!/usr/bin/env bash
# The scripts of experiments and tests can be called from any folder. They say what they take, and name an argument that
# is none.
#   usage: scripts.sh SOURCES PROGRAM
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
ln -s "$2" bninception # without CUDA's module beside it, so that no GPU's days are predicted
export BNINCEPTION=$folder/bninception

# expect STATUS TEXT COMMAND...: the command ends so, and its output contains the text.
expect() {
  local expected=$1 text=$2 status=0 said
  shift 2
  said=$("$@" 2>&1 </dev/null) || status=$?
  if [ $status != "$expected" ] || [[ $said != *"$text"* ]]; then
    printf '%s\nstatus %s, expected %s\n%s\nexpected:\n%s\n' "$*" $status "$expected" "$said" "$text" >&2
    exit 1
  fi
}

for script in "$1"/experiments/{,*/,*/*/}*.sh "$1"/tests/{run,distributions,faults/run,fuzz/run}.sh; do
  [ "$(basename "$script")" != common.sh ] || continue
  expect 0 "usage: $(basename "$script")" bash "$script" --help
  expect 2 "'--no-such-option'" bash "$script" --no-such-option
done

imagenet=$1/experiments/figure2_imagenet/run.sh
expect 2 "run.sh: --together needs the number of processes: 1, 2, 4 or 8." bash "$imagenet" --together 3
expect 0 "--set train.parts=8 --set train.steps=750000 --set train.evaluate_every=5000 --set train.learning_rate.initial=0.36 \
--set train.learning_rate.warmup_epochs=5 --set train.learning_rate.warmup_from=0.045 --set device=cuda" \
  bash "$imagenet" --together 8 --dry-run --set device=cuda
