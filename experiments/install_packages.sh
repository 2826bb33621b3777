#!/usr/bin/env bash
# Installs the Debian packages that are missing, and does nothing when none is.
#   usage: install_packages.sh [build] [check]
#   build  what the programs, their tests and the figures need (the default)
#   check  what tests/run.sh needs beyond that
set -euo pipefail

build_packages=(
  build-essential cmake ninja-build ccache git ca-certificates
  libdnnl-dev                                                      # oneDNN: convolution and linear on the CPU
  libopencv-core-dev libopencv-imgproc-dev libopencv-imgcodecs-dev # decoding and resizing images
  libjpeg62-turbo-dev zlib1g-dev libxxhash-dev
  libyaml-cpp-dev libcli11-dev libfmt-dev nlohmann-json3-dev
  libboost-dev                                                     # Boost.Math: quantiles for the reports
  libgtest-dev libgmock-dev libbenchmark-dev
  gnuplot-nox fonts-liberation                                     # figures
)
check_packages=(clang-format-14 clang-tidy-14 libomp-14-dev # libomp: omp.h where clang looks for it
  clang-14 libclang-rt-14-dev) # libFuzzer

wanted=()
for group in "${@:-build}"; do
  case "$group" in
    build) wanted+=("${build_packages[@]}") ;;
    check) wanted+=("${check_packages[@]}") ;;
    *) echo "install_packages.sh: unknown group '$group'; known are build and check." >&2; exit 2 ;;
  esac
done

if ! command -v dpkg-query >/dev/null; then
  echo "This is not a Debian system: its packages are not checked. Debian 12 calls what is needed:" >&2
  echo "  ${wanted[*]}" >&2
  exit 0
fi

missing=()
for package in "${wanted[@]}"; do
  state=$(dpkg-query --show --showformat '${db:Status-Status}' "$package" 2>/dev/null || true)
  [ "$state" = installed ] || missing+=("$package")
done
[ ${#missing[@]} -eq 0 ] && exit 0

echo "Missing packages: ${missing[*]}"
as_root=()
if [ "$(id -u)" -ne 0 ]; then
  # Without a terminal sudo could only fail after asking for a password that nobody can type.
  if command -v sudo >/dev/null && { [ -t 0 ] || sudo -n true 2>/dev/null; }; then
    as_root=(sudo)
  else
    echo "They can be installed by root only, and sudo cannot be used here. Please run this as root, then try again:" >&2
    echo "  apt-get update && apt-get install --no-install-recommends -y ${missing[*]}" >&2
    exit 1
  fi
fi

apt() {
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3 "$@"
}
apt update -q
apt install -q -y --no-install-recommends "${missing[@]}"
