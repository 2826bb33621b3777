#!/usr/bin/env bash
# Figures 2 and 3 on Tiny ImageNet at the paper's own learning rates, three seeds. Needs tiny-imagenet under BN_DATA_ROOT.
#   usage: paper_rates.sh [--dry-run] [--jobs N] [--minutes N] [--out DIR] [--set KEY=VALUE]...
# --dry-run: only the plan, and its time on this machine. --minutes: of this stage [75]; the same command goes on where
# it ended, or was stopped or killed. --set: for all runs, such as device=cuda.
set -euo pipefail
# shellcheck source=experiments/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/../common.sh"

out=${root}runs/figure2_tiny_imagenet_paper_rates
read_sweep_options "$@"
build_programs
use_tiny_imagenet_shards
run_study experiments/figure2_tiny_imagenet/paper_rates.yaml "$out"
