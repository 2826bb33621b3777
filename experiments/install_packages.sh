#!/usr/bin/env bash
# Installs the packages of Debian or Ubuntu that are missing, and does nothing when none is.
#   usage: install_packages.sh [--dry-run] [GROUP...]      default: build      --dry-run: only prints what is missing
#   run    what the programs and the figures need
#   cuda   where there is nvcc: what the CUDA backend needs besides, with NVIDIA's cudnn-frontend, fetched into .cache
#   test   what the tests and the benchmarks need
#   check  what tests/run.sh needs beyond that
#   build  run, cuda and test
set -euo pipefail
# shellcheck source=experiments/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

# Names that Debian 12, Debian 13 and Ubuntu 24.04 share.
run_packages=(
  build-essential cmake ninja-build ccache git
  file                                                             # cpack asks for it when it makes a .deb
  libdnnl-dev                                                      # oneDNN: convolution and linear on the CPU
  libopencv-core-dev libopencv-imgproc-dev libopencv-imgcodecs-dev # decoding and resizing images
  libjpeg-dev zlib1g-dev libxxhash-dev
  libyaml-cpp-dev libcli11-dev libfmt-dev nlohmann-json3-dev
  libboost-dev                                                     # Boost.Math: quantiles for the reports; Boost.CRC
  libprotobuf-dev protobuf-compiler                                # the formats of ONNX and TensorBoard
  gnuplot-nox fonts-liberation                                     # figures
)
cuda_packages=(ca-certificates python3 python3-pip python3-yaml)
test_packages=(libgtest-dev libgmock-dev help2man pkg-config python3-jsonschema python3-yaml
  libopenmpi-dev openmpi-bin) # several processes that train together; a program built without them trains in one
check_packages=(clang libclang-rt-dev libomp-dev # libFuzzer, and OpenMP for clang
  python3-venv python3-pip)                      # the formatter, the linter and oneDNN 3, from PyPI

has_nvcc() { command -v nvcc >/dev/null || [ -x /usr/local/cuda/bin/nvcc ]; }

wanted=() want_cuda=no dry_run=no groups=()
for argument in "$@"; do
  case "$argument" in
    -h | --help) print_help ;;
    --dry-run) dry_run=yes ;;
    build) groups+=(run cuda test) ;;
    run | cuda | test | check) groups+=("$argument") ;;
    *) fail "unknown argument '$argument'; known are --dry-run and the groups run, cuda, test, check and build." ;;
  esac
done
[ ${#groups[@]} -gt 0 ] || groups=(run cuda test)
for group in "${groups[@]}"; do
  case "$group" in
    run) wanted+=("${run_packages[@]}") ;;
    cuda) ! has_nvcc || { want_cuda=yes; wanted+=("${cuda_packages[@]}"); } ;;
    test) wanted+=("${test_packages[@]}") ;;
    check) wanted+=("${check_packages[@]}") ;;
  esac
done

# Without it the program is built for the CPU alone, so failing here is no error.
get_cudnn_frontend() {
  [ $want_cuda = no ] || fetch_wheels .cache/cudnn_frontend nvidia-cudnn-frontend==1.32.0 ||
    echo "cudnn-frontend could not be fetched from PyPI: the build will leave the CUDA backend out." >&2
}

if ! command -v dpkg-query >/dev/null; then
  [ $dry_run = no ] || exit 0
  echo "This system has no Debian packages, so nothing is installed or checked. What is needed, as Debian calls it:" >&2
  echo "  ${wanted[*]}" >&2
  get_cudnn_frontend
  exit 0
fi

missing=()
for package in "${wanted[@]}"; do
  state=$(dpkg-query --show --showformat '${db:Status-Status}' "$package" 2>/dev/null || true)
  [ "$state" = installed ] || missing+=("$package")
done
if [ $dry_run = yes ]; then
  [ ${#missing[@]} -eq 0 ] || printf '%s\n' "${missing[@]}"
  exit 0
fi
if [ ${#missing[@]} -eq 0 ]; then
  get_cudnn_frontend
  exit 0
fi

echo "Missing packages: ${missing[*]}"
as_root=()
if [ "$(id -u)" -ne 0 ]; then
  # Without a terminal sudo could only fail after asking for a password that nobody can type.
  if command -v sudo >/dev/null && { [ -t 0 ] || sudo -n true 2>/dev/null; }; then
    as_root=(sudo)
  else
    echo "Only root can install them, and sudo cannot be used here: please run this as root, then try again:" >&2
    echo "  apt-get update && apt-get install --no-install-recommends -y ${missing[*]}" >&2
    exit 1
  fi
fi

apt() {
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3 "$@"
}
said=$(mktemp)
trap 'rm -f "$said"' EXIT
# Lists that could not be fetched do no harm where those of before suffice.
if ! { apt update -q || true; apt install -q -y --no-install-recommends "${missing[@]}"; } 2>&1 | tee "$said" |
  { grep --line-buffered -E '^(Need to get|After this|Fetched|Waiting|Err|E:|W:|sudo:)' || true; }; then
  if grep -q 'Could not get lock' "$said"; then
    why="another program is installing packages: wait until it has ended, then try again."
  elif grep -qE 'Failed to fetch|Could not resolve|Temporary failure resolving|Could not connect' "$said"; then
    why="packages could not be fetched: connect this machine to the network, or mend /etc/apt/sources.list, then try again."
  elif grep -qE 'Unable to locate package|no installation candidate' "$said"; then
    why="this system does not offer all packages: Debian 12 and 13 do, and Ubuntu 24.04 (with universe) should."
  else
    tail -n 20 "$said" >&2
    why="apt-get could not install the packages: mend what it says above, then try again."
  fi
  fail "$why"
fi
get_cudnn_frontend
