#!/usr/bin/env bash
# Watches the layers of the MNIST network in training, without batch normalisation, with it, and with noise behind it: the
# tables and the figure. Takes half a minute on one core. Needs MNIST under BN_DATA_ROOT.
#   usage: run.sh [--out DIR]
set -euo pipefail
# shellcheck source=experiments/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/../../common.sh"

here=experiments/what_bn_does
out=${root}runs/what_bn_does/layers
while [ $# -gt 0 ]; do
  case "$1" in
    --out) [ -n "${2:-}" ] || fail "--out needs a folder."; out=$(from_caller "$2"); shift 2 ;;
    -h | --help) print_help ;;
    *) fail "unknown argument '$1'; the option is --out DIR." ;;
  esac
done
need_mnist
build_beside_tests watch_layers
mkdir -p "$out"
build/release/watch_layers $here/network.yaml --csv "$out/layers.csv" | tee "$out/tables.md"
# The mean over the seeds of each arm's shift in the last hidden layer: a column for each arm.
for arm in plain bn bn_noise; do
  awk -F, -v arm=$arm '$1 == arm && $4 == "hidden3/act" { sum[$3] += $5; ++count[$3] }
    END { for (step in sum) print step, sum[step] / count[step] }' "$out/layers.csv" | sort -n >"$out/$arm.tsv"
done
draw $here/layers/figure.gp "$out/figure" "$out"
echo "The figure: $(shown "$out/figure.svg") and figure.png."
