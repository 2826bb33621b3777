// Which instruction set's kernels run.
#include <fmt/format.h>

#include <cstdlib>

#include "bn/error.hpp"
#include "cpu/kernels/kernels.hpp"

namespace bn::cpu {
namespace generic {
const Kernels& table();
}
namespace avx2 {
const Kernels& table();
}
namespace avx512 {
const Kernels& table();
}

namespace {

bool has_avx2() { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"); }

bool has_avx512() {
  return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") && has_avx2();
}

const Kernels& widest() { return has_avx512() ? avx512::table() : has_avx2() ? avx2::table() : generic::table(); }

const Kernels*& selected() {
  static const Kernels* table = [] {
    const char* name = std::getenv("BN_CPU_ISA");
    return name == nullptr ? &widest() : &kernels_of(name);
  }();
  return table;
}

}  // namespace

const Kernels& kernels_of(std::string_view instruction_set) {
  if (instruction_set == "generic") return generic::table();
  if (instruction_set != "avx2" && instruction_set != "avx512") {
    throw UnsupportedError(
        fmt::format("BN_CPU_ISA is '{}', which is no instruction set known here; it can be generic, avx2 or avx512.",
                    instruction_set));
  }
  if (instruction_set == "avx2" ? has_avx2() : has_avx512()) {
    return instruction_set == "avx2" ? avx2::table() : avx512::table();
  }
  throw UnsupportedError(fmt::format("BN_CPU_ISA is '{}', which this machine cannot run; it can run {}.",
                                     instruction_set, has_avx2() ? "avx2 and generic" : "generic"));
}

const Kernels& kernels() { return *selected(); }

void select_kernels(const Kernels& table) { selected() = &table; }

}  // namespace bn::cpu
