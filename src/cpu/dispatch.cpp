// Chooses the instruction set whose kernels run.
#include <fmt/format.h>

#include <cstdlib>
#include <string>

#include "bn/error.hpp"
#include "cpu/kernels/kernels.hpp"

namespace bn::cpu {
namespace generic {
const KernelTable& table();
}
namespace avx2 {
const KernelTable& table();
}
namespace avx512 {
const KernelTable& table();
}
namespace avx512_bf16 {
const KernelTable& table();
}

namespace {

bool always() { return true; }
bool has_avx2() { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"); }
bool has_avx512() {
  return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") && has_avx2();
}
bool has_avx512_bf16() { return __builtin_cpu_supports("avx512bf16") && has_avx512(); }

struct InstructionSet {
  const char* name;
  bool (*runs_here)();
  const KernelTable& (*table)();
};

// They stand from the narrowest to the widest.
constexpr InstructionSet kInstructionSets[] = {
    {"generic", always, generic::table},
    {"avx2", has_avx2, avx2::table},
    {"avx512", has_avx512, avx512::table},
    {"avx512_bf16", has_avx512_bf16, avx512_bf16::table},
};

std::string names_of_those_that_run_here() {
  std::string names;
  for (const InstructionSet& set : kInstructionSets) {
    if (set.runs_here()) names += (names.empty() ? "" : ", ") + std::string(set.name);
  }
  return names;
}

const KernelTable& widest() {
  const InstructionSet* widest = kInstructionSets;
  for (const InstructionSet& set : kInstructionSets) {
    if (set.runs_here()) widest = &set;
  }
  return widest->table();
}

const KernelTable*& selected() {
  static const KernelTable* table = [] {
    const char* name = std::getenv("BN_CPU_ISA");
    return name == nullptr ? &widest() : &kernels_of(name);
  }();
  return table;
}

}  // namespace

const KernelTable& kernels_of(std::string_view instruction_set) {
  for (const InstructionSet& set : kInstructionSets) {
    if (instruction_set == set.name && set.runs_here()) return set.table();
  }
  throw UnsupportedError(fmt::format("BN_CPU_ISA is '{}', but this machine has kernels for {} only.", instruction_set,
                                     names_of_those_that_run_here()));
}

const KernelTable& kernels() { return *selected(); }

void select_kernels(const KernelTable& table) { selected() = &table; }

}  // namespace bn::cpu
