#!/usr/bin/env bash
# Figures 2 and 3 at full size, and the members of Figure 4. Needs imagenet, packed, under BN_DATA_ROOT.
#   usage: run.sh [--dry-run] [--jobs N] [--minutes N] [--out DIR] [--set KEY=VALUE]...
# --dry-run: only the plan, and its time on this machine; needs no data. --minutes: of this stage [75]; the same command
# goes on where it ended, or was stopped or killed. --set: for all runs, such as device=cuda.
set -euo pipefail
# shellcheck source=experiments/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/../common.sh"

out=${root}runs/figure2_imagenet
read_sweep_options "$@"
build_programs
run_study experiments/figure2_imagenet/sweep.yaml "$out"
