#include "own_ops/tested_backend.hpp"

#include <cstdlib>

#include "cuda/backend.hpp"
#include "simt/simulator/kernel.hpp"

namespace bn::test {
namespace {

// All cases run in a few orders with both patterns; small ones run in all orders with both.
std::vector<simt::Schedule> schedules_of(int64_t elements) {
  constexpr int64_t kSmall = 4000;
  const std::vector<simt::Schedule>& all = simt::all_schedules();
  if (elements <= kSmall && std::getenv("BN_TEST_REDUCED") == nullptr) return all;
  std::vector<simt::Schedule> few = {all.front(),
                                     {.order = simt::Order::kDescending, .pattern = simt::SharedPattern::kFinite}};
  if (elements <= kSmall) few.push_back(all.back());
  return few;
}

}  // namespace

std::string why_untestable() { return ""; }

Backend& tested_backend() {
  static cuda::CudaBackend backend{CudaOptions{}};
  return backend;
}

std::vector<BatchNormImplementation> tested_batch_norms() { return {BatchNormImplementation::kCustom}; }

// Each run has another schedule: run_op() requires the same bits of all.
Runs runs_of(int64_t elements) {
  const std::vector<simt::Schedule> schedules = schedules_of(elements);
  return {.count = static_cast<int>(schedules.size()),
          .before = [schedules](int run) { simt::set_schedule(schedules[static_cast<size_t>(run)]); }};
}

Backend& library_backend() { return tested_backend(); }
std::vector<BatchNormImplementation> library_batch_norms() { return {BatchNormImplementation::kCudnn}; }

// In bf16 whatever is stored between two of our steps is rounded by 2^-8: composed or scaled weights, the output
// before its bias.
Tolerance library_tolerance(const OpCase& op_case) {
  if (std::holds_alternative<BatchNorm>(op_case.spec)) return library_batch_norm_tolerance(op_case);
  if (op_case.dtype == DType::kF32) return {.y = 5e-6, .dx = 5e-6, .dw = 5e-6};
  return {.y = 1e-2, .dx = 8e-3, .dw = 5e-6};
}

// The loops are slow, and the network's own rows show nothing more than small shapes.
std::vector<OpCase> affordable(std::vector<OpCase> cases) {
  std::erase_if(cases, [](const OpCase& op_case) { return multiply_adds(op_case.spec, op_case.x) >= 3'000'000; });
  return cases;
}

}  // namespace bn::test
