#!/usr/bin/env bash
# Installs what is missing, builds, and trains a small Inception on generated images, without and with batch
# normalisation: a table and a figure in runs/quickstart. If BN_DATA_ROOT has MNIST, the paper's Figure 1 too.
#   usage: quickstart.sh [--steps N] [--out DIR]      N: training steps of each network, for a short trial
set -euo pipefail
# shellcheck source=experiments/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

out=runs/quickstart
overrides=()
figure1=(--seeds 1)
while [ $# -gt 0 ]; do
  case "$1" in
    --steps)
      [[ "${2:-}" =~ ^[1-9][0-9]*$ ]] || fail "--steps needs a positive number."
      # An evaluation at each fifth, so that even a trial has curves.
      overrides=(--set "train.steps=$2" --set "train.evaluate_every=$((($2 + 4) / 5))")
      figure1+=(--steps "$2")
      shift 2
      ;;
    --out)
      [ -n "${2:-}" ] || fail "--out needs a folder."
      out=$2
      figure1+=(--out "$2/figure1_mnist")
      shift 2
      ;;
    -h | --help) sed -n '2,4s/^# \{0,1\}//p' "$0"; exit 0 ;;
    *) fail "unknown argument '$1'; the options are --steps N and --out DIR." ;;
  esac
done

build_programs

mkdir -p "$out"
echo "Training two networks side by side, one thread each; what they print is in $out/*/log.jsonl too."
start_training "without BN" configs/quickstart/plain.yaml "$out/plain" --set threads=1 "${overrides[@]}"
start_training "with BN" configs/quickstart/batch_norm.yaml "$out/batch_norm" --set threads=1 "${overrides[@]}"
wait_for_trainings || fail "a training ended early; its last lines above say why."

for network in plain batch_norm; do
  log_columns evaluate "step validation_top1" "$out/$network" >"$out/$network.tsv"
done
echo
awk -f experiments/plots/compare_accuracy.awk "$out/plain.tsv" "$out/batch_norm.tsv" | tee "$out/table.md"
draw experiments/plots/accuracy.gp "$out/figure" "$out/plain.tsv" "$out/batch_norm.tsv"

if [ -f "${BN_DATA_ROOT:-}/mnist/train-images-idx3-ubyte.gz" ]; then
  echo
  echo "BN_DATA_ROOT has MNIST: the paper's Figure 1."
  bash experiments/figure1_mnist/run.sh "${figure1[@]}"
fi

cat <<TEXT

The figure: $out/figure.svg and figure.png. Where to go next:
  $bninception evaluate $out/batch_norm                    scores the network that was trained
  $bninception config diff configs/quickstart/plain.yaml configs/quickstart/batch_norm.yaml
  $bninception train configs/quickstart/batch_norm.yaml --set train.learning_rate.initial=0.1 --out runs/mine
  $bninception --help                                      every command, with its exit codes
  experiments/                                             one folder for each figure and table of the paper
TEXT
