// Running averages: population statistics and averaged parameters.
#include <algorithm>

#include "cpu/kernels/kernels.hpp"
#include "cpu/parallel.hpp"
#include "cpu/updates.hpp"

namespace bn::cpu {
namespace {
constexpr int64_t kSpan = 4096;
}

void blend(const Tensor& running, const Tensor& batch, const Tensor& factor, const float* weight) {
  const int64_t count = running.shape.elements();
  const KernelTable& table = kernels();  // outside the parallel region: it may throw
#pragma omp parallel if (worth_threads(count))
  {
    const Share mine = share_of((count + kSpan - 1) / kSpan);
    const int64_t first = mine.begin * kSpan, here = std::min(count, mine.end * kSpan) - first;
    if (here > 0) {
      table.updates.blend(running.as<float>() + first, batch.as<float>() + first,
                          factor ? factor.as<float>() + first : nullptr, *weight, here);
    }
  }
}

}  // namespace bn::cpu
