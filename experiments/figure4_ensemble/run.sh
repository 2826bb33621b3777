#!/usr/bin/env bash
# Figure 4 on Tiny ImageNet: six networks like BN-x30, and what they score together. Needs tiny-imagenet under BN_DATA_ROOT.
#   usage: run.sh [--jobs N] [--minutes N] [--out DIR] [--set KEY=VALUE]...
# --minutes: of this stage [75]; the same command goes on where it ended, or was stopped or killed. --set: for all runs,
# such as device=cuda.
set -euo pipefail
# shellcheck source=experiments/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/../common.sh"
case "${1:-}" in -h | --help) sed -n '2,5s/^# \{0,1\}//p' "$0"; exit 0 ;; esac

out=runs/figure4_ensemble
read_sweep_options "$@"
build_programs
use_tiny_imagenet_shards
run_stage experiments/figure4_ensemble/sweep.yaml "$out"

# The rows of Figure 4: each member's single crop, then all crops and all members. What was scored is not scored again.
mkdir -p "$out/scores"
members=("$out"/*/seed_*)
# row NAME CROPS RUN...: a line of the table.
row() {
  local name=$1 crops=$2 file="$out/scores/$1_$2.json"
  shift 2
  if [ ! -f "$file" ]; then
    "$bninception" evaluate "$@" --crops "$crops" --json >"$file.part"
    mv "$file.part" "$file"
  fi
  awk -v name="$name" -v crops="$crops" -v models=$# '
    function error(which) {
      match($0, "\"" which "_error\":[{][^}]*")
      split(substr($0, RSTART, RLENGTH), part, /[:,]/)
      return sprintf("%.2f %% [%.2f, %.2f]", 100 * part[3], 100 * part[5], 100 * part[7])
    }
    { printf "| %s | %d | %d | %s | %s |\n", name, crops, models, error("top1"), error("top5") }' "$file"
}
{
  echo "| networks | crops | models | top-1 error [95 % interval] | top-5 error [95 % interval] |"
  echo "|---|---|---|---|---|"
  for run in "${members[@]}"; do row "$(basename "$(dirname "$run")")" 1 "$run"; done
  for crops in 10 144; do row "$(basename "$(dirname "${members[0]}")")" "$crops" "${members[0]}"; done
  for crops in 1 10 144; do row ensemble "$crops" "${members[@]}"; done
} | tee "$out/table.md"
