#include "own_ops/tested_backend.hpp"

#include "cuda/cuda_backend.hpp"

namespace bn::test {

std::string why_untestable() { return gpu_under_test().missing; }
Backend& tested_backend() { return cuda_backend(); }
std::vector<BatchNormImplementation> tested_batch_norms() { return {BatchNormImplementation::kCustom}; }
Runs runs_of(int64_t) { return {}; }

Backend& library_backend() { return cuda_backend(); }
std::vector<BatchNormImplementation> library_batch_norms() { return {BatchNormImplementation::kCudnn}; }
std::vector<OpCase> affordable(std::vector<OpCase> cases) { return cases; }

Tolerance library_tolerance(const OpCase& op_case) {
  if (std::holds_alternative<BatchNorm>(op_case.spec)) return library_batch_norm_tolerance(op_case);
  const bool is_bf16 = op_case.dtype == DType::kBf16,
             is_separable = std::holds_alternative<SeparableConv2d>(op_case.spec);
  Tolerance allowed = is_separable ? separable_tolerance(op_case) : exact_tolerance(op_case);
  // In bf16 the scaled weights, the library's output and the result are rounded, by 2^-8 each.
  if (is_folded(op_case.spec) && is_bf16) allowed.y = 1e-2;
  // Tensor cores cut off what an f32 sum cannot hold: conv1's 12,544 products come out smaller by more than by
  // rounding.
  const bool is_long = output_shape(op_case.spec, op_case.x).rows() > 10'000;
  if (is_long && is_bf16 && !is_separable) allowed.dw = 3e-5;
  return allowed;
}

}  // namespace bn::test
