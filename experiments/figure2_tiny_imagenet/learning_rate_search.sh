#!/usr/bin/env bash
# The search for the plain network's learning rate that comes before run.sh. Needs tiny-imagenet under BN_DATA_ROOT.
#   usage: learning_rate_search.sh [--dry-run] [--jobs N] [--minutes N] [--out DIR] [--set KEY=VALUE]...
# --dry-run: only the plan, and its time on this machine. --minutes: of this stage [75]; the same command goes on where
# it ended, or was stopped or killed. --set: for all runs, such as device=cuda.
set -euo pipefail
# shellcheck source=experiments/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/../common.sh"

out=${root}runs/figure2_tiny_imagenet_learning_rate
read_sweep_options "$@"
build_programs
use_tiny_imagenet_shards
run_study experiments/figure2_tiny_imagenet/learning_rate_search.yaml "$out"
