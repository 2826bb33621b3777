#!/usr/bin/env bash
# One of these studies: trains the networks of a sweep file and writes the report. Needs MNIST under BN_DATA_ROOT.
#   usage: run.sh SWEEP [--dry-run] [--jobs N] [--minutes N] [--out DIR] [--set KEY=VALUE]...
# SWEEP: a sweep file of this folder, such as placement/sigmoid. --dry-run: only the plan, and its time on this machine.
# --minutes: of this stage [75]; the same command goes on where it ended, or was stopped or killed.
set -euo pipefail
# shellcheck source=experiments/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/../common.sh"

here=experiments/what_bn_does
sweeps=$(cd $here && echo */*.yaml | sed 's/[.]yaml//g')
case "${1:-}" in
  -h | --help) print_help ;;
  "") fail "name a sweep file first: $sweeps." ;;
esac
sweep=${1%.yaml}
shift
[ -f "$here/$sweep.yaml" ] || fail "there is no study '$sweep'; there are: $sweeps."
out=${root}runs/what_bn_does/$sweep
read_sweep_options "$@"
[ -f "${BN_DATA_ROOT:-}/mnist/train-images-idx3-ubyte.gz" ] ||
  fail "set BN_DATA_ROOT to the folder that holds mnist/train-images-idx3-ubyte.gz and the three beside it."
build_programs
run_study "$here/$sweep.yaml" "$out"
