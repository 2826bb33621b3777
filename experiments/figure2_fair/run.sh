#!/usr/bin/env bash
# Figures 2 and 3 with lengths and decays in the paper's proportions: the search for the plain network's learning rate, then
# seven networks, five seeds. "longer" trains Inception, BN-x5 and BN-x30 equally long instead (longer/README.md), and
# "one_change" takes one change of BN-x5 away, or adds one to BN-Baseline (one_change/README.md). Needs tiny-imagenet-200
# under BN_DATA_ROOT.
#   usage: run.sh [longer|one_change] [--dry-run] [--jobs N] [--minutes N] [--out DIR] [--set KEY=VALUE]...
set -euo pipefail
# shellcheck source=experiments/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/../common.sh"

here=experiments/figure2_fair
out=${root}runs/figure2_fair
study=""
case "${1:-}" in
  longer | one_change)
    study=$1 out=${root}runs/figure2_fair_$1
    shift
    ;;
esac
read_sweep_options "$@"
build_programs
use_tiny_imagenet_shards

# winner CURVES: of the searched rates the one with the highest mean over the seeds of the best validation accuracy.
winner() {
  awk -F, '
    FNR == 1 { for (i = 1; i <= NF; ++i) column[$i] = i; next }
    $column["validation_top1"] > best[$column["arm"], $column["seed"]] {
      best[$column["arm"], $column["seed"]] = $column["validation_top1"]
    }
    END {
      for (run in best) { split(run, part, SUBSEP); sum[part[1]] += best[run]; ++seeds[part[1]] }
      for (arm in sum) if (sum[arm] / seeds[arm] > highest) { highest = sum[arm] / seeds[arm]; name = arm }
      sub(/.*=/, "", name); print name
    }' "$1"
}

case "$study" in
  longer) run_study $here/longer/sweep.yaml "$out" ;;
  one_change)
    run_study $here/one_change/leave_one_out.yaml "$out/leave_one_out"
    run_study $here/one_change/add_one.yaml "$out/add_one"
    ;;
esac
[ -z "$study" ] || exit 0

# The rate that won. A search that is there is only looked at, where it is done; its result is kept apart.
if [ ! -f "$out/rate" ] || [ -f "$out/search/sweep.json" ]; then
  run_study $here/search.yaml "$out/search"
fi
if [ ! -f "$out/rate" ]; then
  [ "$plan_only" = no ] || exit 0
  "$bninception" report "$out/search" --out "$out/search/kept" --keep
  winner "$out/search/kept/curves.csv" >"$out/rate.part"
  mv "$out/rate.part" "$out/rate"
fi
# The seven networks at this rate.
if [ "$plan_only" = no ] || [ ! -f "$out/sweep.yaml" ]; then
  rate=$(cat "$out/rate")
  echo "The search's winner is $rate."
  times() { awk -v rate="$rate" -v factor="$1" 'BEGIN { print rate * factor }'; }
  sed "s|@configs@|$(sed 's/[&|\\]/\\&/g' <<<"$PWD/configs/tiny_imagenet")|; s|@rate@|$rate|; s|@rate_x5@|$(times 5)|; s|@rate_x30@|$(times 30)|" \
    $here/sweep.yaml.in >"$out/sweep.yaml.part"
  if [ ! -f "$out/sweep.yaml" ]; then
    mv "$out/sweep.yaml.part" "$out/sweep.yaml"
  elif ! cmp -s "$out/sweep.yaml.part" "$out/sweep.yaml"; then
    fail "the protocol is not that of the runs in $(shown "$out") any more (compare sweep.yaml.part with sweep.yaml there): \
restore it, or begin another study with --out."
  fi
  rm -f "$out/sweep.yaml.part"
fi
run_study "$out/sweep.yaml" "$out/networks"
