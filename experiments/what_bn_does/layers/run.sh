#!/usr/bin/env bash
# Watches the layers of a network in training, without batch normalisation, with it, and with noise behind it: the tables
# and two figures. The MNIST network takes half a minute on one core; Inception on Tiny ImageNet, for four epochs, half an
# hour. Needs mnist or tiny-imagenet-200 under BN_DATA_ROOT.
#   usage: run.sh [mnist|inception] [--out DIR]      default: mnist
set -euo pipefail
# shellcheck source=experiments/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/../../common.sh"

here=experiments/what_bn_does
network=mnist out=""
while [ $# -gt 0 ]; do
  case "$1" in
    --out) [ -n "${2:-}" ] || fail "--out needs a folder."; out=$(from_caller "$2"); shift 2 ;;
    mnist | inception) network=$1; shift ;;
    -h | --help) print_help ;;
    *) fail "unknown argument '$1'; there are mnist, inception and --out DIR." ;;
  esac
done
out=${out:-${root}runs/what_bn_does/layers/$network}
if [ $network = mnist ]; then need_mnist; fi
build_beside_tests bninception watch_layers
mkdir -p "$out"
if [ $network = mnist ]; then
  watched=($here/network.yaml) layer=hidden3/act
else
  use_tiny_imagenet_shards
  watched=(configs/tiny_imagenet/bn_baseline.yaml --set train.epochs=4 --set train.learning_rate.initial=0.024
    --seeds 3 --every 125 --images 200)
  layer=inception_5b/3x3/act
fi
build/release/watch_layers "${watched[@]}" --csv "$out/layers.csv" | tee "$out/tables.md"
# Of that layer, means over the seeds: step, the mean's move, and 1 / |W|^2 over its first value.
for arm in plain bn bn_noise; do
  awk -F, -v arm=$arm -v layer=$layer '
    $1 == arm && $4 == layer {
      if (!($2 in first)) first[$2] = $7
      moves[$3] += $5; rate[$3] += (first[$2] / $7) ^ 2; ++count[$3]
    }
    END { for (step in moves) print step, moves[step] / count[step], rate[step] / count[step] }' "$out/layers.csv" |
    sort -n >"$out/$arm.tsv"
done
draw $here/layers/figure.gp "$out/moves" "$out" moves
draw $here/layers/figure.gp "$out/rate" "$out" rate
echo "The figures: $(shown "$out/moves.svg") and rate.svg, both as PNG too."
