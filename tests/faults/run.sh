#!/usr/bin/env bash
# Makes campaigns of faults, each of as many trials as it is told, and prints a line of counts for each.
#   usage: run.sh PROGRAM TRIALS [FILTER]     such as run.sh build/release/test_faults 500 'Kills.*'
# Environment: BN_FAULT_SEED  another number makes other trials [1]
#              BN_FAULT_KEEP  folder for the damaged files that were not answered
set -euo pipefail
# shellcheck source=experiments/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/../../experiments/common.sh"
case "${1:-}" in
  -h | --help) print_help ;;
  -*) fail "unknown argument '$1'; the options are --help alone." ;;
esac
[[ "${2:-}" =~ ^[1-9][0-9]*$ ]] || fail "name the program test_faults and a number of trials."
program=$(from_caller "$1") trials=$2 filter=${3:-*}
BN_FAULT_TRIALS=$trials OMP_WAIT_POLICY=passive "$program" --gtest_filter="$filter"
