#!/usr/bin/env bash
# Figures 2 and 3 on Tiny ImageNet: seven networks, five seeds. Needs tiny-imagenet-200 under BN_DATA_ROOT.
#   usage: run.sh [SWEEP] [--dry-run] [--jobs N] [--minutes N] [--out DIR] [--set KEY=VALUE]...
# SWEEP: another sweep file of this folder, such as paper_rates.
set -euo pipefail
# shellcheck source=experiments/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/../common.sh"

here=experiments/figure2_tiny_imagenet
out=${root}runs/figure2_tiny_imagenet
sweep=sweep
if [[ "${1:-}" = [!-]* ]]; then sweep=${1%.yaml} out+=_${1%.yaml}; shift; fi
read_sweep_options "$@"
[ -f "$here/$sweep.yaml" ] || fail "there is no sweep '$sweep'; there are: $(cd $here && echo *.yaml | sed 's/[.]yaml//g')."
build_programs
use_tiny_imagenet_shards
run_study "$here/$sweep.yaml" "$out"
