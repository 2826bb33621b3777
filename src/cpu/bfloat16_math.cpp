#include "cpu/bfloat16_math.hpp"

#include "cpu/onednn_api.hpp"

namespace bn::cpu {
namespace {

struct Processor {
  bool (*is_here)();
  Bfloat16Math quicker;
};

// The first that is here counts.
constexpr Processor kProcessors[] = {
    // AMX. Measured on an Intel Xeon: a step of BN-Inception takes 0.4 (224) and 0.6 (64x64) of f32's time.
    {[] { return allows_instructions("amx"); }, Bfloat16Math::kBf16},
    // Without instructions for bf16 oneDNN widens in registers, over and over, and without AVX-512 it has no bf16.
    {[] { return !allows_instructions("bf16") && !allows_instructions("fp16"); }, Bfloat16Math::kF32},
    // Zen 4 and later. Measured on Zen 5: a step of BN-Inception at 224 takes 0.5 of f32's time
    // (experiments/benchmarks/README.md).
    {[] { return __builtin_cpu_is("amd") != 0; }, Bfloat16Math::kBf16},
    // Cooper Lake has twice the products of f32's instructions, by its maker's account.
    {[] { return __builtin_cpu_is("cooperlake") != 0; }, Bfloat16Math::kBf16},
    // Intel's later ones, where AMX is hidden. Measured on model 207: all convolutions of BN-Inception take 1.9 times
    // f32's time (experiments/benchmarks/cpu_notes.md).
    {[] { return true; }, Bfloat16Math::kF32},
};

}  // namespace

Bfloat16Math chosen_math(Bfloat16Math wanted) {
  if (wanted != Bfloat16Math::kAutomatic) return wanted;
  for (const Processor& processor : kProcessors) {
    if (processor.is_here()) return processor.quicker;
  }
  return Bfloat16Math::kBf16;
}

bool is_widened(const OpDesc& desc, const CpuOptions& options) {
  return desc.x.at(0).dtype == DType::kBf16 && options.bfloat16_math == Bfloat16Math::kF32;
}

}  // namespace bn::cpu
