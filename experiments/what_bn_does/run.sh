#!/usr/bin/env bash
# One of these studies: trains the networks of a sweep file and writes the report. Needs MNIST under BN_DATA_ROOT.
#   usage: run.sh SWEEP [--dry-run] [--jobs N] [--minutes N] [--out DIR] [--set KEY=VALUE]...
# SWEEP: a sweep file of this folder, such as placement/sigmoid.
set -euo pipefail
# shellcheck source=experiments/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/../common.sh"

here=experiments/what_bn_does
sweeps=$(cd $here && echo */*.yaml | sed 's/[.]yaml//g')
sweep=
if [[ "${1:-}" = [!-]* ]]; then sweep=${1%.yaml}; shift; fi
out=${root}runs/what_bn_does/$sweep
read_sweep_options "$@"
[ -n "$sweep" ] || fail "name a sweep file first: $sweeps."
[ -f "$here/$sweep.yaml" ] || fail "there is no study '$sweep'; there are: $sweeps."
need_mnist
build_programs
run_study "$here/$sweep.yaml" "$out"
