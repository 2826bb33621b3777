#!/usr/bin/env bash
# Prints how far the networks of sweep.yaml, at the end of their training, are better on the images that they were trained
# on than on new ones: a table of means over the seeds, with 95 % intervals by Student's t. Needs MNIST under BN_DATA_ROOT.
#   usage: gaps.sh [FOLDER]      the sweep's folder [runs/what_bn_does/regulariser/sweep]
set -euo pipefail
# shellcheck source=experiments/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/../../common.sh"
take_no_options "$@"
runs=runs/what_bn_does/regulariser/sweep
[ $# -eq 0 ] || runs=$(from_caller "$1")
[ -f "$runs/sweep.json" ] || fail "there is no sweep in $(shown "$runs"); run.sh regulariser/sweep makes it."
need_mnist
build_programs

# scores RUN [OPTION...]: top-1 in percent and loss of the run's last checkpoint.
scores() {
  "$bninception" evaluate "$1" --checkpoint last --json "${@:2}" 2>/dev/null |
    sed -E 's/.*"excluded":[^}]*"loss":([^,]*),"top1":([^,]*),.*/\2 \1/' | awk '{ print 100 * $1, $2 }'
}

for arm in plain dropout bn_256 bn_256_dropout bn_8 bn_8_dropout; do
  for run in "$runs/$arm"/seed_*; do
    echo "$arm $(scores "$run" --data mnist/t10k-images-idx3-ubyte.gz mnist/t10k-labels-idx1-ubyte.gz) $(scores "$run")"
  done
done | awk -v quantiles="$student_quantiles" '
  function mean_of(column, sum, i) { for (i = 1; i <= n; ++i) sum += value[column, i]; return sum / n }
  function interval(column, digits, mean, square, i, half) {
    mean = mean_of(column)
    for (i = 1; i <= n; ++i) square += (value[column, i] - mean) ^ 2
    half = quantile[n - 1] * sqrt(square / (n - 1) / n)
    return sprintf("%.*f [%.*f, %.*f]", digits, mean, digits, mean - half, digits, mean + half)
  }
  function print_arm() {
    if (n > 1) print "| " arm " | " n " | " interval(1, 2) " | " interval(2, 4) " | " interval(3, 2) " | " interval(4, 3) " | " interval(5, 2) " |"
  }
  BEGIN {
    split(quantiles, quantile, " ")
    print "| network | seeds | training top-1, % | training loss | validation top-1, % | validation loss | gap, points |"
    print "|---|---|---|---|---|---|---|"
  }
  $1 != arm { print_arm(); arm = $1; n = 0 }
  { ++n; for (i = 1; i <= 4; ++i) value[i, n] = $(i + 1); value[5, n] = $2 - $4 }
  END { print_arm() }'
