#!/usr/bin/env bash
# How often the report claims a difference between arms that are one and the same: trains one small network with many
# seeds, draws sweeps from these runs as if they were several arms, and counts the claims. Needs MNIST under BN_DATA_ROOT.
#   usage: run.sh [--seeds N] [--jobs N] [--out DIR]
set -euo pipefail
# shellcheck source=experiments/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/../common.sh"

seeds=400
jobs=1
out=${root}runs/aa_check
while [ $# -gt 0 ]; do
  case "$1" in
    --seeds) [[ "${2:-}" =~ ^[1-9][0-9]*$ ]] || fail "--seeds needs a positive number."; seeds=$2; shift 2 ;;
    --jobs) [[ "${2:-}" =~ ^[1-9][0-9]*$ ]] || fail "--jobs needs a positive number."; jobs=$2; shift 2 ;;
    --out) [ -n "${2:-}" ] || fail "--out needs a folder."; out=$(from_caller "$2"); shift 2 ;;
    -h | --help) print_help ;;
    *) fail "unknown argument '$1'; the options are --seeds N, --jobs N and --out DIR." ;;
  esac
done
need_mnist
build_programs
build_beside_tests aa_check

mkdir -p "$out"
{
  echo "name: aa_check"
  echo "configs: [\"$PWD/experiments/aa_check/network.yaml\"]"
  echo "seeds: [$(seq -s ', ' 1 "$seeds")]"
} >"$out/sweep.yaml"
"$bninception" sweep "$out/sweep.yaml" --out "$out" --jobs "$jobs"
build/release/aa_check "$out" | tee "$out/table.md"
