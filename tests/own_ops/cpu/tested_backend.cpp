#include "own_ops/tested_backend.hpp"

#include "cpu/cpu_backend.hpp"

namespace bn::test {

std::string why_untestable() { return ""; }
Backend& tested_backend() { return cpu_backend(); }
std::vector<BatchNormImplementation> tested_batch_norms() {
  return {BatchNormImplementation::kCustom, BatchNormImplementation::kOnednn};
}
Runs runs_of(int64_t) { return {}; }

Backend& library_backend() { return direct_backend(); }
std::vector<BatchNormImplementation> library_batch_norms() { return {BatchNormImplementation::kOnednn}; }
std::vector<OpCase> affordable(std::vector<OpCase> cases) { return cases; }

// The scaled weights of a folded op are rounded to bf16 once, by 2^-8 each.
Tolerance library_tolerance(const OpCase& op_case) {
  if (std::holds_alternative<BatchNorm>(op_case.spec)) return library_batch_norm_tolerance(op_case);
  if (std::holds_alternative<SeparableConv2d>(op_case.spec)) return separable_tolerance(op_case);
  if (is_folded(op_case.spec)) return {.y = op_case.dtype == DType::kF32 ? 5e-6 : 6e-3};
  return exact_tolerance(op_case);
}

}  // namespace bn::test
