// Stochastic gradient descent with momentum: one pass over the parameters.
#include <algorithm>

#include "cpu/kernels/kernels.hpp"
#include "cpu/parallel.hpp"
#include "cpu/updates.hpp"

namespace bn::cpu {
namespace {
constexpr int64_t kSpan = 4096;
}

void sgd_step(const SgdUpdate& update) {
  const int64_t count = update.value.shape.elements();
  bool non_finite = false;
  const KernelTable& table = kernels();  // outside the parallel region: it may throw
#pragma omp parallel if (worth_threads(count)) reduction(|| : non_finite)
  {
    const Share mine = share_of((count + kSpan - 1) / kSpan);
    const int64_t first = mine.begin * kSpan, here = std::min(count, mine.end * kSpan) - first;
    if (here > 0) {
      non_finite = table.updates.sgd(update.value.as<float>() + first, update.velocity.as<float>() + first,
                                     update.gradient.as<float>() + first, update, here);
    }
  }
  if (non_finite && update.step->first_bad_step < 0) {
    update.step->first_bad_step = static_cast<int64_t>(update.step->now.step);
  }
}

}  // namespace bn::cpu
