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

}  // namespace bn::test
