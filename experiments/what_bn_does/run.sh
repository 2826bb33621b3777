#!/usr/bin/env bash
# One of these studies: trains the networks of its sweep files, one file after the other, and writes a report of each. Needs
# MNIST under BN_DATA_ROOT.
#   usage: run.sh STUDY|SWEEP [--dry-run] [--jobs N] [--minutes N] [--out DIR] [--set KEY=VALUE]...
# STUDY: a folder beside this file, such as placement. SWEEP: one of its files alone, such as placement/sigmoid.
set -euo pipefail
# shellcheck source=experiments/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/../common.sh"

here=experiments/what_bn_does
studies=$(cd $here && printf '%s\n' */*.yaml | sed 's#/.*##' | uniq | paste -sd ' ')
study=
if [[ "${1:-}" = [!-]* ]]; then study=${1%/} study=${study%.yaml}; shift; fi
out=${root}runs/what_bn_does/$study
read_sweep_options "$@"
[ -n "$study" ] || fail "name a study first: $studies."
if [ -f "$here/$study.yaml" ]; then
  sweeps=("$study")
else
  mapfile -t sweeps < <(cd $here && printf '%s\n' "$study"/*.yaml | sed 's/[.]yaml$//')
  [ -f "$here/${sweeps[0]}.yaml" ] || fail "there is no study '$study'; there are: $studies."
fi
need_mnist
build_programs
for sweep in "${sweeps[@]}"; do run_study "$here/$sweep.yaml" "$out${sweep#"$study"}"; done
[ "$study" != regulariser ] || [ "$plan_only" = yes ] || bash $here/regulariser/gaps.sh "$out/sweep"
