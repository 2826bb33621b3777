#!/usr/bin/env bash
# Installs the Debian packages that are missing, and does nothing when none is. Where there is a CUDA compiler it also
# fetches the headers of NVIDIA's cudnn-frontend, which Debian has not, into .cache.
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

# Only the headers of the wheel. Without them the program is built for the CPU alone, so failing here is no error.
cudnn_frontend_version=1.32.0
cudnn_frontend_folder=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)/.cache/cudnn_frontend
get_cudnn_frontend() {
  command -v nvcc >/dev/null || [ -x /usr/local/cuda/bin/nvcc ] || return 0
  [ "$(cat "$cudnn_frontend_folder/version" 2>/dev/null)" = "$cudnn_frontend_version" ] && return 0
  local download
  download=$(mktemp -d)
  echo "Fetching the headers of cudnn-frontend $cudnn_frontend_version"
  if python3 -m pip download --quiet --disable-pip-version-check --no-deps --only-binary :all: --dest "$download" \
    "nvidia-cudnn-frontend==$cudnn_frontend_version" &&
    mkdir -p "$cudnn_frontend_folder" &&
    python3 -c '
import glob, sys, zipfile
wheel = zipfile.ZipFile(glob.glob(sys.argv[1] + "/*.whl")[0])
wheel.extractall(sys.argv[2], [name for name in wheel.namelist() if name.startswith("include/")])
' "$download" "$cudnn_frontend_folder"; then
    echo "$cudnn_frontend_version" >"$cudnn_frontend_folder/version"
  else
    echo "cudnn-frontend could not be fetched from PyPI: the build will leave the CUDA backend out." >&2
  fi
  rm -rf "$download"
}

if ! command -v dpkg-query >/dev/null; then
  echo "This is not a Debian system: its packages are not checked. Debian 12 calls what is needed:" >&2
  echo "  ${wanted[*]}" >&2
  get_cudnn_frontend
  exit 0
fi

if command -v nvcc >/dev/null || [ -x /usr/local/cuda/bin/nvcc ]; then
  wanted+=(python3 python3-pip python3-yaml)
fi

missing=()
for package in "${wanted[@]}"; do
  state=$(dpkg-query --show --showformat '${db:Status-Status}' "$package" 2>/dev/null || true)
  [ "$state" = installed ] || missing+=("$package")
done
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
get_cudnn_frontend
