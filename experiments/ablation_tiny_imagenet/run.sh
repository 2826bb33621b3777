#!/usr/bin/env bash
# BN-x5 without one change of section 4.2.1 at a time, three seeds. Needs tiny-imagenet-200 under BN_DATA_ROOT.
#   usage: run.sh [--dry-run] [--jobs N] [--minutes N] [--out DIR] [--set KEY=VALUE]...
set -euo pipefail
# shellcheck source=experiments/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/../common.sh"

out=${root}runs/ablation_tiny_imagenet
read_sweep_options "$@"
build_programs
use_tiny_imagenet_shards
run_study experiments/ablation_tiny_imagenet/sweep.yaml "$out"
