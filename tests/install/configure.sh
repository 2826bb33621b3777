#!/usr/bin/env bash
# Configures the project as on machines that lack something: each time one sentence says what to do. And as anyone would
# who knows CMake: the build is then an optimised one.
#   usage: configure.sh SOURCE-FOLDER
set -euo pipefail
source_folder=$(realpath "${1:?usage: configure.sh SOURCE-FOLDER}")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

fail() { echo "install/configure.sh: $*" >&2; exit 1; }
configure() { cmake -S "$source_folder" -B "$work/build" -G Ninja -DBN_BUILD_TESTS=OFF -DBN_CUDA=OFF "$@" >"$work/said" 2>&1; }

# refuses SENTENCE [SETTING...]
refuses() {
  local sentence=$1
  shift
  rm -rf "$work/build"
  if configure "$@"; then fail "was configured although: $sentence"; fi
  # CMake breaks long lines.
  tr -s ' \n' ' ' <"$work/said" | grep -qF "$sentence" || { cat "$work/said"; fail "did not say: $sentence"; }
  echo "refused: $sentence"
}

# one_dnn MAJOR MINOR RUNTIME: headers that claim this.
one_dnn() {
  mkdir -p "$work/include/oneapi/dnnl"
  echo >"$work/libdnnl.so"
  printf '#define DNNL_VERSION_MAJOR %s\n#define DNNL_VERSION_MINOR %s\n' "$1" "$2" >"$work/include/oneapi/dnnl/dnnl_version.h"
  echo "#define DNNL_CPU_THREADING_RUNTIME DNNL_RUNTIME_$3" >"$work/include/oneapi/dnnl/dnnl_config.h"
}
fake=("-Ddnnl_LIBRARY=$work/libdnnl.so" "-Ddnnl_INCLUDE_DIR=$work/include")

one_dnn 2 5 OMP
refuses "oneDNN 2.5 in $work/include does not fit: 2.6 to 3.x is needed, as Debian 12 and later have in libdnnl-dev." "${fake[@]}"
one_dnn 4 0 OMP
refuses "oneDNN 4.0 in $work/include does not fit" "${fake[@]}"
one_dnn 3 1 TBB
refuses "oneDNN 3.1 in $work/include was built without OpenMP: install one that was built with it" "${fake[@]}"
refuses "dnnl with its header dnnl.hpp was not found: install Debian's package libdnnl-dev" \
  -DCMAKE_IGNORE_PATH=/usr/include
refuses "yaml-cpp was not found: install Debian's package libyaml-cpp-dev (experiments/install_packages.sh installs all that is needed)" \
  -DCMAKE_DISABLE_FIND_PACKAGE_yaml-cpp=ON
refuses "Boost 1.74 was not found: install Debian's package libboost-dev" -DCMAKE_DISABLE_FIND_PACKAGE_Boost=ON
refuses "Protobuf 3.12 was not found: install Debian's package libprotobuf-dev and protobuf-compiler" \
  -DCMAKE_DISABLE_FIND_PACKAGE_Protobuf=ON
refuses "protobuf's compiler protoc was not found: install Debian's package protobuf-compiler" \
  -DProtobuf_PROTOC_EXECUTABLE=
if command -v clang++ >/dev/null; then
  major=$(clang++ -dumpversion | cut -d. -f1)
  refuses "clang $major was found without OpenMP: install Debian's package libomp-$major-dev, or compile with g++" \
    -DCMAKE_CXX_COMPILER=clang++ -DCMAKE_DISABLE_FIND_PACKAGE_OpenMP=ON
fi

rm -rf "$work/build"
CUDACXX=/bin/false configure -DBN_CUDA=ON || { cat "$work/said"; fail "a broken CUDA compiler ends the configuration"; }
grep -q 'No CUDA compiler found: this build runs on the CPU only' "$work/said" || fail "a broken CUDA compiler is not told"
# Where there is a compiler, a toolkit that lacks a part.
without() {
  local sentence=$1
  shift
  rm -rf "$work/build"
  configure -DBN_CUDA=ON "$@" || { cat "$work/said"; fail "CUDA without a part ends the configuration: $*"; }
  tr -s ' \n' ' ' <"$work/said" | grep -qF "$sentence" || { cat "$work/said"; fail "did not say: $sentence"; }
  echo "told: $sentence"
}
if command -v nvcc >/dev/null; then
  without "found but no cuBLAS or no NVRTC: this build runs on the CPU only (install the development packages of both for this CUDA)" \
    -DCUDA_cublasLt_LIBRARY=
  without "found but no cuDNN: this build runs on the CPU only (install cuDNN 9.8 or a later 9 with its headers;" -DCUDNN_LIBRARY=
  mkdir -p "$work/old_cudnn"
  printf '#define CUDNN_MAJOR 9\n#define CUDNN_MINOR 7\n' >"$work/old_cudnn/cudnn_version.h"
  without "cuDNN 9.7 found, but it must be 9.8 or a later 9: this build runs on the CPU only" "-DCUDNN_INCLUDE_DIR=$work/old_cudnn"
  without "cuDNN found but no cudnn_frontend.h: this build runs on the CPU only" -DCUDNN_FRONTEND_INCLUDE_DIR=
fi

rm -rf "$work/build"
configure || { cat "$work/said"; fail "plain CMake does not configure"; }
grep -q '^CMAKE_BUILD_TYPE:STRING=Release' "$work/build/CMakeCache.txt" || fail "plain CMake gives no optimised build"
grep -q -- '-O3' "$work/build/build.ninja" || fail "plain CMake does not compile with -O3"
if grep -q -- '-Werror' "$work/build/build.ninja"; then fail "warnings are errors for somebody else"; fi
echo "configured: optimised, warnings allowed"
