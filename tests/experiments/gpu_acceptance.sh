#!/usr/bin/env bash
# experiments/gpu_acceptance/run.sh says in one sentence what a machine lacks. The programs, ldd and nvidia-smi are
# played here.
#   usage: gpu_acceptance.sh SOURCES
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
mkdir -p "$folder"/{bundle/bin,tools}
cp "$1/experiments/gpu_acceptance/run.sh" "$folder/bundle/run.sh"
play() {  # play FILE: a command whose body is standard input
  { echo '#!/bin/bash' && cat; } >"$1"
  chmod +x "$1"
}
play "$folder/tools/nvidia-smi" <<<'exit 1'
play "$folder/bundle/bin/bninception" <<<'[ "$1" = profile ] || exit 0
echo "device: cuda was asked for, but no NVIDIA driver is loaded here; use device: cpu" >&2
exit 6'

expect() {  # expect STATUS TEXT
  local status=0 text
  text=$(cd "$folder" && PATH=$folder/tools:$PATH bash bundle/run.sh 2>&1) || status=$?
  if [ "$status" != "$1" ] || [ "$text" != "$2" ]; then
    printf 'status %s, expected %s\n%s\nexpected:\n%s\n' "$status" "$1" "$text" "$2" >&2
    exit 1
  fi
}
for cuda in 12 13; do
  play "$folder/tools/ldd" <<EOT
echo "  libcublasLt.so.$cuda => not found"
echo "  libcudnn.so.9 => not found"
echo "  libc.so.6 => /lib/libc.so.6 (0x00007f0000000000)"
EOT
  expect 6 "run.sh: the loader does not find libcublasLt.so.$cuda libcudnn.so.9 here: install the libraries of CUDA $cuda \
and cuDNN 9, use a python3 whose PyTorch is for CUDA $cuda, or name their folders in LD_LIBRARY_PATH."
done
play "$folder/tools/ldd" <<<'echo "  libcublasLt.so.13 => /usr/lib/libcublasLt.so.13 (0x00007f0000000000)"'
expect 6 "run.sh: this machine cannot run the programs: device: cuda was asked for, but no NVIDIA driver is loaded here; use \
device: cpu"
