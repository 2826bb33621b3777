#!/usr/bin/env bash
# Prints what every CUDA kernel uses: registers, stack, shared memory, spills. Fails if one spills: the compiler then
# moves registers to memory and back.
#   usage: kernel_resources.sh [BUILD]     BUILD: a folder configured with CUDA and Ninja; build/release by default
# The kernels are compiled again by the build's own commands, with ptxas' report switched on.
set -euo pipefail
# shellcheck source=experiments/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/../common.sh"
case "${1:-}" in
  -h | --help) print_help ;;
  -*) fail "unknown option '$1'; there is none but --help." ;;
esac
build=build/release
[ $# -eq 0 ] || build=$(from_caller "$1")

targets=$(ninja -C "$build" -t targets all 2>/dev/null | sed -n 's/^\(.*bn_cuda\.dir.*\.cu\.o\): .*/\1/p') || true
if [ -z "$targets" ]; then
  fail "$(shown "$build") has no CUDA kernels to compile: it was configured without CUDA, or not at all."
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for target in $targets; do
  command=$(ninja -C "$build" -t commands "$target" | tail -1 |
    sed -E "s# -o [^ ]+# -o $work/kernel.o#; s# -MF [^ ]+# -MF $work/kernel.d#")
  if ! (cd "$build" && eval "$command -Xptxas -v") >>"$work/report" 2>&1; then
    cat "$work/report" >&2
    exit 1
  fi
done

# Three lines of ptxas' report are one kernel.
awk '
  /Compiling entry function/ { split($0, part, "\047"); name = part[2]; architecture = part[4] }
  /bytes stack frame/ { stack = $1; spilled = $5 + $9 }
  /: Used [0-9]+ registers/ {
    shared = 0
    for (i = 1; i < NF; ++i) {
      if ($i == "Used") registers = $(i + 1)
      if ($(i + 1) == "bytes" && $(i + 2) ~ /^smem/) shared = $i
    }
    print architecture, registers, stack, shared, spilled, name
  }' "$work/report" | c++filt |
  sed -E 's/ void / /; s/\(anonymous namespace\):://g; s/_GLOBAL__N__[A-Za-z0-9_]*:://g; s/bn::cuda:://g; s/bn:://g; s/__nv_bfloat16/bf16/g; s/\([A-Za-z0-9_]+\)([0-9])/\1/g; s/\(.*//' |
  sort -k6 >"$work/kernels"
if [ ! -s "$work/kernels" ]; then
  echo "kernel_resources.sh: ptxas reported no kernel." >&2
  exit 1
fi

printf '%-7s %9s %6s %7s %8s  %s\n' target registers stack shared spilled kernel
while read -r architecture registers stack shared spilled name; do
  printf '%-7s %9s %6s %7s %8s  %s\n' "$architecture" "$registers" "$stack" "$shared" "$spilled" "$name"
done <"$work/kernels"
spilling=$(awk '$5 > 0' "$work/kernels" | wc -l)
echo "$(wc -l <"$work/kernels") kernels, $spilling of them spill. Stack, static shared memory and spills are in bytes."
[ "$spilling" -eq 0 ]
