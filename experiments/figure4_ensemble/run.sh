#!/usr/bin/env bash
# Figure 4 on Tiny ImageNet: six networks like BN-x30, and what they score together. Needs tiny-imagenet-200 under BN_DATA_ROOT.
#   usage: run.sh [--dry-run] [--jobs N] [--minutes N] [--out DIR] [--set KEY=VALUE]...
set -euo pipefail
# shellcheck source=experiments/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/../common.sh"

out=${root}runs/figure4_ensemble
read_sweep_options "$@"
build_programs
use_tiny_imagenet_shards
run_study experiments/figure4_ensemble/sweep.yaml "$out"
[ "$plan_only" = no ] || exit 0

# The rows of Figure 4: each member's single crop, then all crops and all members. Each network as it was at its last
# step, not at its best on these images. What was scored since the members' last step is not scored again.
mkdir -p "$out/scores"
mapfile -t members < <(awk -F'"' -v out="$out" '
  $2 == "folder" { folder = $4 }
  $2 == "outcome" && $4 == "finished" { print out "/" folder }' "$out/sweep.json")
[ ${#members[@]} -eq 6 ] || fail "${#members[@]} of the six members finished; '$(shown "$out/sweep.json")' says what became of the others."
name_of() { basename "$(dirname "$1")"; }
# row NAME CROPS RUN...: a line of the table.
row() {
  local name=$1 crops=$2 file="$out/scores/$1_$2.json" run stale=no
  shift 2
  for run in "$@"; do [ "$file" -nt "$run/log.jsonl" ] || stale=yes; done
  if [ $stale = yes ]; then
    "$bninception" evaluate "$@" --checkpoint last --crops "$crops" --csv "${file%.json}.csv" --json >"$file.part"
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
# difference MEMBER: of top-1 errors, image by image, as both score the same ones. The interval holds for all six
# together (Bonferroni: 2.638 standard errors).
difference() {
  awk -F, -v name="$1" '
    FNR == 1 { ++file; next }
    file == 1 { right[$1] = $3 == 0; next }
    { ++n; d = right[$1] - ($3 == 0); sum += d; squares += d * d }
    END {
      mean = sum / n; half = 2.638 * sqrt((squares / n - mean * mean) / n)
      printf "| %s | %+.2f [%+.2f, %+.2f] |\n", name, 100 * mean, 100 * (mean - half), 100 * (mean + half)
    }' "$out/scores/$1_1.csv" "$out/scores/ensemble_1.csv"
}
{
  echo "| networks | crops | models | top-1 error [95 % interval] | top-5 error [95 % interval] |"
  echo "|---|---|---|---|---|"
  for run in "${members[@]}"; do row "$(name_of "$run")" 1 "$run"; done
  for crops in 10 144; do row "$(name_of "${members[0]}")" "$crops" "${members[0]}"; done
  for crops in 1 10 144; do row ensemble "$crops" "${members[@]}"; done
  echo
  echo "| single crop, the ensemble against | difference of top-1 errors, points [95 % interval for all six] |"
  echo "|---|---|"
  for run in "${members[@]}"; do difference "$(name_of "$run")"; done
} | tee "$out/table.md"
