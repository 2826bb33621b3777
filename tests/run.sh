#!/usr/bin/env bash
# Installs what is missing, builds, and runs every test; ctest's summary of the tests closes the output.
#   usage: run.sh              packages build tests: what a user needs to know that everything works here
#          run.sh all          besides: sass cuda12 cudnn_plans format tidy asan tsan fuzz jpeg_only onednn3 quickstart
#                              exchange
#          run.sh exchange     fetches ONNX Runtime, OpenCV, safetensors and TensorBoard from PyPI into .cache, and tests
#                              that they read what is written for them; without a network these tests are skipped
#          run.sh SECTION...   only these of them, in the order of above
# A section that fails does not stop the ones after it. The exit status is 0 only if all passed.
# Environment: BN_DATA_ROOT  the folder with the data sets; ../shared/data beside the repository where that exists.
# shellcheck disable=SC2317  # the sections are called by name
set -uo pipefail
# shellcheck source=experiments/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/../experiments/common.sh"

before_tests=(packages build sass cuda12 cudnn_plans format tidy asan tsan fuzz jpeg_only onednn3 quickstart exchange)
case "${*:-}" in
  -h | --help) print_help ;;
  "") wanted=" packages build tests " ;;
  all) wanted=" ${before_tests[*]} tests " ;;
  *) wanted=" $* " ;;
esac
for name in $wanted; do
  case " ${before_tests[*]} tests " in
    *" $name "*) ;;
    *) fail "unknown section '$name'; known are, besides all alone: ${before_tests[*]} tests." ;;
  esac
done
has_section() { case "$wanted" in *" $1 "*) return 0 ;; *) return 1 ;; esac; }

if [ -z "${BN_DATA_ROOT:-}" ] && [ -d ../shared/data ]; then
  BN_DATA_ROOT=$(cd ../shared/data && pwd)
  export BN_DATA_ROOT
fi
echo "BN_DATA_ROOT: ${BN_DATA_ROOT:-not set, so tests that need data sets are skipped}"
# Waiting threads must sleep: the tests run in parallel and share the cores.
export OMP_WAIT_POLICY=passive
jobs=$(nproc)

packages() {
  local groups=(run test) name
  for name in sass cuda12 format tidy fuzz onednn3 exchange; do
    if has_section "$name"; then
      groups+=(check)
      break
    fi
  done
  if with_cuda; then groups+=(cuda); fi
  bash experiments/install_packages.sh "${groups[@]}"
}

# The CUDA backend takes several minutes to compile: a user without a GPU does without.
with_cuda() { has_section sass || has_section cuda12 || has_section cudnn_plans || wants_cuda; }

build() {
  local settings=(-DBN_BUILD_TESTS=ON)
  if with_cuda; then settings+=(-DBN_CUDA=ON); fi
  # One GPU architecture proves that CUDA's sources compile.
  [ "${CI:-}" != true ] || settings+=(-DBN_CUDA_ARCHITECTURES=90-real)
  configure "${settings[@]}" && cmake --build build/release
}

# Facts about the machine code of the kernels. NVIDIA's programs that read it come from PyPI.
sass() {
  local objects=(build/release/src/CMakeFiles/bn_cuda.dir/cuda/kernels/*.cu.o)
  if [ ! -f "${objects[0]}" ]; then
    echo "SKIPPED: build/release was configured without CUDA."
  elif ! python_environment .cache/sass nvidia-cuda-cuobjdump==13.5.37 nvidia-cuda-nvdisasm==13.5.37; then
    echo "SKIPPED: cuobjdump and nvdisasm could not be fetched from PyPI."
  else
    python3 tests/sass.py .cache/sass/lib/python*/site-packages/nvidia/cu13/bin/cuobjdump "${objects[@]}"
  fi
}

# The backend's C++ sources with the headers of CUDA 12.4 from PyPI (400 MB) in place of the toolkit's. cuDNN's headers are
# the same for both.
cuda12() {
  local headers=$PWD/.cache/cuda12/include object
  if [ ! -f build/release/bn_cuda.so ]; then
    echo "SKIPPED: build/release was configured without CUDA."
  elif ! fetch_wheels .cache/cuda12 nvidia-cuda-runtime-cu12==12.4.127 nvidia-cuda-nvcc-cu12==12.4.131 \
    nvidia-cuda-cccl-cu12==12.4.127.post1 nvidia-cuda-nvrtc-cu12==12.4.127 nvidia-cublas-cu12==12.4.5.8; then
    echo "SKIPPED: the headers of CUDA 12.4 could not be fetched from PyPI."
  else
    ninja -C build/release -t targets all | sed -nE 's#^(src/CMakeFiles/bn_cuda.*[.]c(pp|xx)[.]o): .*#\1#p' |
      while read -r object; do
        ninja -C build/release -t commands "$object" | tail -n 1 | sed "s# -MF [^ ]*# -MF /dev/null#; s#\$# -fsyntax-only -w -I$headers#"
      done | (cd build/release && xargs -d '\n' -n 1 -P "$jobs" bash -c)
  fi
}

# The tests of cuDNN's plans again, with the newest cuDNN 9 from PyPI (520 MB) in place of the toolkit's.
cudnn_plans() {
  if [ ! -f build/release/bn_cuda.so ]; then
    echo "SKIPPED: build/release was configured without CUDA."
  elif ! fetch_wheels .cache/cudnn nvidia-cudnn-cu13==9.28.1.4; then
    echo "SKIPPED: cuDNN could not be fetched from PyPI, so only the toolkit's was tried, among the tests."
  else
    # This cuDNN loads only where there is a libcuda.so.1: without a driver the toolkit's stub serves.
    local stub
    if [[ $(ldconfig -p) != *libcuda.so.1* ]]; then
      stub=$(find -L /usr/local/cuda "$(dirname "$(command -v nvcc)")/.." -path '*/stubs/libcuda.so' 2>/dev/null | head -n 1)
      ln -sfn "$stub" .cache/cudnn/lib/libcuda.so.1
    fi
    cmake --build build/release --target test_cudnn_plans bn_cuda_module &&
      (cd build/release && LD_LIBRARY_PATH=$PWD/../../.cache/cudnn/lib timeout 600 ./test_cudnn_plans)
  fi
}

# The formatter and the linter in one version for every system, in a virtual environment of their own.
lint_tools() {
  local folder=$PWD/.cache/lint
  if ! python_environment "$folder" clang-format==14.0.6 clang-tidy==23.1.4; then
    echo "The tools could not be fetched from PyPI: connect this machine to the network, then try again." >&2
    return 1
  fi
  # Clang's own omp.h is in another Debian package for each version; GCC's has one attribute that clang does not know.
  mkdir -p "$folder/include"
  sed 's/__malloc__ ([a-z_]*)/__malloc__/g' "$(c++ -print-file-name=include/omp.h)" >"$folder/include/omp.h"
}

format() {
  lint_tools || return 1
  find src include data_tools tests experiments \( -name '*.cpp' -o -name '*.hpp' -o -name '*.cu' -o -name '*.cuh' \) -print0 |
    xargs -0 .cache/lint/bin/clang-format --dry-run -Werror
}

tidy() { lint_tools && bash tests/tidy.sh; }

# Tests that a sanitizer makes slow run at reduced sizes: the same code, so the same mistakes to find.
asan() {
  cmake --preset asan && cmake --build --preset asan &&
    BN_TEST_REDUCED=1 \
      ASAN_OPTIONS=detect_leaks=1:strict_string_checks=1:detect_stack_use_after_return=1:strict_init_order=1 \
      UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1 \
      ctest --preset asan -j "$jobs"
}

# The tests of the loader's threads, and of training by processes that are threads here. The latter compute with one
# thread each, since libgomp's barriers look like races to tsan.
tsan() {
  # Where address randomisation uses more bits than tsan was built for, its programs end at start.
  local fixed_addresses=()
  setarch "$(uname -m)" -R true 2>/dev/null && fixed_addresses=(setarch "$(uname -m)" -R)
  cmake --preset tsan && cmake --build --preset tsan --target test_data test_group test_train &&
    BN_TEST_REDUCED=1 TSAN_OPTIONS=halt_on_error=1 \
      "${fixed_addresses[@]}" ctest --preset tsan -R '^(data|group|train)\.' -j "$jobs"
}

# Readers of files that others made, on mutated ones.
fuzz() { cmake --preset fuzz && cmake --build --preset fuzz --target fuzz && bash tests/fuzz/run.sh 15; }

# Without OpenCV's imgcodecs the programs need few libraries.
jpeg_only() {
  cmake --preset release -B build/jpeg_only -DBN_IMGCODECS=OFF -DBN_CUDA=OFF -DBN_BUILD_TESTS=OFF &&
    cmake --build build/jpeg_only --target bninception bn-data || return 1
  local libraries
  libraries=$(ldd build/jpeg_only/bninception | wc -l)
  echo "bninception without imgcodecs is linked with $libraries libraries"
  [ "$libraries" -le 40 ] || return 1
  # Such a build says which files it cannot read.
  build/jpeg_only/bn-data shapes --out build/jpeg_only/shapes --images 40 --validation-images 10 >/dev/null &&
    says 'the data is no JPEG, and this build reads nothing else' &&
    says 'needs OpenCV.s imgcodecs, which this build was made without' --set data.decoder=opencv
}
# says MESSAGE OPTIONS...: training on the PNG files ends with the message.
says() {
  local said
  rm -rf build/jpeg_only/run
  said=$(build/jpeg_only/bninception train configs/quickstart/plain.yaml --out build/jpeg_only/run --set train.steps=1 \
    --set data="{kind: folder, train: [$PWD/build/jpeg_only/shapes/train], validation: [$PWD/build/jpeg_only/shapes/validation]}" \
    "${@:2}" 2>&1)
  grep "$1" <<<"$said"
}

# All that computes, with oneDNN 3.2 in place of the system's oneDNN, where that is 2.x: as newer systems have it.
onednn3() {
  fetch_wheels .cache/onednn3 onednn-cpu-gomp==2023.2.0 onednn-devel-cpu-gomp==2023.2.0 || return 1
  cmake --preset release -B build/onednn3 -DBN_CUDA=OFF -DBN_TESTS_BY_QUARTERS=ON -DCMAKE_PREFIX_PATH="$PWD/.cache/onednn3" &&
    cmake --build build/onednn3 --target bninception test_cpu test_plan test_evaluate test_run test_train test_whole_net &&
    ctest --test-dir build/onednn3 --output-on-failure --no-tests=error -j "$jobs" \
      -R '^(cpu|cpu_avx2|plan|evaluate|run|train|whole_net)\.'
}

quickstart() { bash experiments/quickstart.sh --steps 10 --out build/quickstart; }

# The programs that read our files, in a virtual environment of their own. Where python3-torch is installed, the
# network is compared with PyTorch's as well.
exchange() {
  python_environment .cache/exchange onnx==1.23.2 onnxruntime==1.32.0 opencv-python-headless==5.0.0.93 \
    safetensors==0.8.0 tensorboard==2.21.0 ||
    echo "The other programs could not be fetched from PyPI: connect this machine to the network; without them the tests are skipped."
  configure -DBN_BUILD_TESTS=ON && cmake --build build/release --target test_exchange && ctest --preset release -R '^exchange\.' -j "$jobs"
}

tests() { ctest --preset release -j "$jobs"; }

summary=""
failed=0
run_section() {
  local name=$1 result=passed start=$SECONDS
  printf '\n===== %s\n' "$name"
  "$name" || { result=FAILED; failed=1; }
  printf '===== %s: %s after %d s\n' "$name" "$result" $((SECONDS - start))
  summary+=$(printf '  %-10s %-7s %5d s' "$name" "$result" $((SECONDS - start)))$'\n'
}

for name in "${before_tests[@]}"; do
  if has_section "$name"; then run_section "$name"; fi
done
printf '\n===== so far\n%s' "$summary"
has_section tests || exit $failed

printf '\n===== tests\n'
[ $failed -eq 0 ] || echo "A section above has FAILED, so this run fails whatever the tests below say."
tests || failed=1
exit $failed
