#!/usr/bin/env bash
# Installs what is missing, builds, and runs every check and every test; ctest's summary of the tests closes the output.
#   usage: run.sh [SECTION...]      default: all of packages build kernels format tidy asan tsan fuzz jpeg_only quickstart tests, in this order
# A section that fails does not stop the ones after it. The exit status is 0 only if all passed.
# Environment: BN_DATA_ROOT  the folder with the data sets; ../shared/data beside the repository where that exists.
# shellcheck disable=SC2317  # the sections are called by name
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1

all_sections=(packages build kernels format tidy asan tsan fuzz jpeg_only quickstart tests)
wanted=" ${*:-${all_sections[*]}} "
for name in $wanted; do
  case " ${all_sections[*]} " in
    *" $name "*) ;;
    *) echo "run.sh: unknown section '$name'; known are: ${all_sections[*]}." >&2; exit 2 ;;
  esac
done

if [ -z "${BN_DATA_ROOT:-}" ] && [ -d ../shared/data ]; then
  BN_DATA_ROOT=$(cd ../shared/data && pwd)
  export BN_DATA_ROOT
fi
echo "BN_DATA_ROOT: ${BN_DATA_ROOT:-not set, so tests that need data sets are skipped}"
# Waiting threads must sleep: the tests run in parallel and share the cores.
export OMP_WAIT_POLICY=passive
jobs=$(nproc)

packages() { bash experiments/install_packages.sh build check; }

# One GPU architecture proves that CUDA's sources compile.
architectures=()
[ "${CI:-}" != true ] || architectures=(-DBN_CUDA_ARCHITECTURES=90-real)

build() { cmake --preset release "${architectures[@]}" && cmake --build --preset release; }

# What the CUDA kernels use; one that spills is a failure.
kernels() {
  if ! ninja -C build/release -t targets all | grep -q 'bn_cuda\.dir/.*\.cu\.o:'; then
    echo "build/release was configured without CUDA."
    return 0
  fi
  bash experiments/gpu_acceptance/kernel_resources.sh
}

format() {
  find src include data_tools tests experiments \( -name '*.cpp' -o -name '*.hpp' -o -name '*.cu' -o -name '*.cuh' \) -print0 |
    xargs -0 clang-format-14 --dry-run -Werror
}

# Each file once: what is compiled several times, for several instruction sets, is the same source.
tidy() {
  cmake --preset release "${architectures[@]}" && mkdir -p build/tidy || return 1
  awk 'BEGIN { RS = "}"; print "[" }
    match($0, /"file": "[^"]*\.cpp"/) && !seen[substr($0, RSTART, RLENGTH)]++ {
      sub(/^[^{]*/, "")
      print separator $0 "}"
      separator = ","
    }
    END { print "]" }' build/release/compile_commands.json >build/tidy/compile_commands.json
  grep -o '"file": "[^"]*"' build/tidy/compile_commands.json | cut -d'"' -f4 |
    xargs -P "$jobs" -n 1 clang-tidy-14 -p build/tidy --quiet
}

# What a sanitizer makes slow is run at reduced sizes: the same code, so the same mistakes to find.
asan() {
  cmake --preset asan && cmake --build --preset asan &&
    BN_TEST_REDUCED=1 \
      ASAN_OPTIONS=detect_leaks=1:strict_string_checks=1:detect_stack_use_after_return=1:strict_init_order=1 \
      UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1 \
      ctest --preset asan -j "$jobs"
}

# The loader's tests only: its threads are the ones that we start, and libgomp's barriers look like races to tsan.
tsan() {
  # Where address randomisation uses more bits than tsan was built for, its programs end at start.
  local fixed_addresses=()
  setarch "$(uname -m)" -R true 2>/dev/null && fixed_addresses=(setarch "$(uname -m)" -R)
  cmake --preset tsan && cmake --build --preset tsan --target test_data &&
    BN_TEST_REDUCED=1 TSAN_OPTIONS=halt_on_error=1 \
      "${fixed_addresses[@]}" ctest --preset tsan -R '^data\.' -j "$jobs"
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
  [ "$libraries" -le 40 ]
}

quickstart() { bash experiments/quickstart.sh --steps 10 --out build/quickstart; }

tests() { ctest --preset release -j "$jobs"; }

summary=""
failed=0
run_section() {
  local name=$1 result=passed start=$SECONDS
  printf '\n===== %s\n' "$name"
  "$name" || { result=FAILED; failed=1; }
  printf '===== %s: %s after %d s\n' "$name" "$result" $((SECONDS - start))
  summary+=$(printf '  %-9s %-7s %5d s' "$name" "$result" $((SECONDS - start)))$'\n'
}

for name in packages build kernels format tidy asan tsan fuzz jpeg_only quickstart; do
  case "$wanted" in *" $name "*) run_section "$name" ;; esac
done
printf '\n===== so far\n%s' "$summary"
case "$wanted" in *" tests "*) ;; *) exit $failed ;; esac

printf '\n===== tests\n'
[ $failed -eq 0 ] || echo "A section above has FAILED, so this run fails whatever the tests below say."
tests || failed=1
exit $failed
