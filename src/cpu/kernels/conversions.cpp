// Conversions between bf16 and f32.
#include "cpu/kernels/tables.hpp"
#include "cpu/kernels/vectors.hpp"

namespace bn::cpu::BN_CPU_ISA {
namespace {

template <class To, class From>
void convert(To* to, const From* from, int64_t count) {
  for_columns(count, [&](int64_t i, auto part) { store(to + i, load(from + i, part), part); });
}

}  // namespace

extern constinit const ConversionKernels kConversions = {.widen = convert<float, Bf16>, .narrow = convert<Bf16, float>};

}  // namespace bn::cpu::BN_CPU_ISA
