#!/usr/bin/env bash
# Each third-party library belongs to one room: no file elsewhere may include its headers.
#   usage: libraries.sh SOURCES
set -euo pipefail
cd "$1"
status=0
# belongs HEADERS ROOMS: the headers, a pattern, are included below these rooms alone.
belongs() {
  local found
  found=$(grep -rnE "#include [<\"]($1)" src include data_tools | grep -vE "^($2)[/:]" || true)
  [ -z "$found" ] || { printf 'outside of %s:\n%s\n' "$2" "$found" && status=1; }
}
belongs 'oneapi/|dnnl' 'src/cpu'
belongs 'cuda|cudnn|cublas|nccl|nvrtc' 'src/cuda'
belongs 'opencv2/|jpeglib' 'src/data|data_tools'
belongs 'yaml-cpp/' 'src/config'
belongs 'boost/' 'src/report|src/exchange|data_tools'
belongs 'google/protobuf|exchange/.*[.]pb[.]h' 'src/exchange'
belongs 'CLI/' 'src/commands|src/command_line|src/main.cpp|data_tools'
exit $status
