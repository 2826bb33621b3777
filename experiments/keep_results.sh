#!/usr/bin/env bash
# Copies what a study's report and table are made of, and both, but no checkpoints: `bninception report DIR` reads the copy.
#   usage: keep_results.sh RUNS DIR      such as runs/figure2_tiny_imagenet experiments/figure2_tiny_imagenet/results
set -euo pipefail
# shellcheck source=experiments/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
case "${1:-}" in
  -h | --help) print_help ;;
  -*) fail "unknown option '$1'; there is none but --help." ;;
esac
[ $# -eq 2 ] || fail "two folders are needed: keep_results.sh RUNS DIR."
[ -f "$(from_caller "$1")/sweep.json" ] || fail "there is no $1/sweep.json: '$1' is no folder of a sweep."
set -- "$(from_caller "$1")" "$(from_caller "$2")"
mkdir -p "$2"
cp "$1/sweep.json" "$2/"
[ ! -f "$1/table.md" ] || cp "$1/table.md" "$2/"
(cd "$1" && find . -name config.yaml -o -name log.jsonl -o -name git.txt -o -path './scores/*.json' -o -path './scores/*_1.csv') | while read -r file; do
  mkdir -p "$2/$(dirname "$file")"
  cp "$1/$file" "$2/$file"
done
rm -rf "$2/report"
cp -r "$1/report" "$2/report"
