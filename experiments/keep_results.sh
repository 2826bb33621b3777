#!/usr/bin/env bash
# Copies what a study's report and table are made of, and both, but no checkpoints: `bninception report DIR` reads the copy.
#   usage: keep_results.sh RUNS DIR      such as runs/figure2_tiny_imagenet experiments/figure2_tiny_imagenet/results
set -euo pipefail
if [ $# -ne 2 ] || [ ! -f "$1/sweep.json" ]; then
  sed -n '2,3s/^# \{0,1\}//p' "$0"
  exit 2
fi
mkdir -p "$2"
cp "$1/sweep.json" "$2/"
[ ! -f "$1/table.md" ] || cp "$1/table.md" "$2/"
(cd "$1" && find . -name config.yaml -o -name log.jsonl -o -name git.txt -o -path './scores/*.json' -o -path './scores/*_1.csv') | while read -r file; do
  mkdir -p "$2/$(dirname "$file")"
  cp "$1/$file" "$2/$file"
done
rm -rf "$2/report"
cp -r "$1/report" "$2/report"
