#!/usr/bin/env bash
# Figures 2, 3 and 4 at full size. Needs imagenet, packed, under BN_DATA_ROOT; --dry-run instead of options only prints the plan.
#   usage: run.sh [--jobs N] [--minutes N] [--out DIR] [--set KEY=VALUE]...
# --minutes: of this stage [75]; the same command goes on where it ended, or was stopped or killed. --set: for all runs,
# such as device=cuda.
set -euo pipefail
# shellcheck source=experiments/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/../common.sh"
case "${1:-}" in -h | --help) sed -n '2,5s/^# \{0,1\}//p' "$0"; exit 0 ;; esac

out=runs/figure2_imagenet
if [ "${1:-}" = --dry-run ]; then
  build_programs
  exec "$bninception" sweep experiments/figure2_imagenet/sweep.yaml --dry-run
fi
read_sweep_options "$@"
build_programs
run_stage experiments/figure2_imagenet/sweep.yaml "$out"
