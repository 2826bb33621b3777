#!/usr/bin/env bash
# Trains on Tiny ImageNet, then on Imagenette from that network and from drawn values, three seeds. Needs tiny-imagenet and
# imagenette-224 under BN_DATA_ROOT. --set is for the runs on Imagenette alone.
#   usage: run.sh [--dry-run] [--jobs N] [--minutes N] [--out DIR] [--set KEY=VALUE]...
set -euo pipefail
# shellcheck source=experiments/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/../common.sh"

out=${root}runs/fine_tuning
read_sweep_options "$@"
build_programs
[ -f "${BN_DATA_ROOT:-}/imagenette-224/train.tar" ] ||
  fail "there is no ${BN_DATA_ROOT:-}/imagenette-224/train.tar; set BN_DATA_ROOT to the folder that holds imagenette-224."
# The network to start from, which sweep.yaml names. Its first 6 epochs of 15: the rate does not depend on the length.
if [ "$plan_only" = no ]; then
  (
    use_tiny_imagenet_shards
    "$bninception" train configs/tiny_imagenet/bn_x5.yaml --out runs/fine_tuning_pretrained --resume \
      --set precision=bf16 --set threads=1 --set train.learning_rate.decay_epochs=0.4 --set train.epochs=6
  )
fi
run_study experiments/fine_tuning/sweep.yaml "$out"
