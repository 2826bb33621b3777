#include "cpu/updates.hpp"

#include <algorithm>
#include <array>

#include "core/op_checks.hpp"
#include "cpu/columns.hpp"
#include "cpu/kernels/kernels.hpp"
#include "cpu/parallel.hpp"

namespace bn::cpu {
namespace {

constexpr int64_t kRepeats = 64;  // pixels over which the channels' constants are laid out for whole vectors
constexpr int64_t kSpan = 4096;

}  // namespace

// Images become activations here: bytes to f32 or bf16.
void load_images(const Tensor& x, const Tensor& images_u8, const ImageNormalization& normalization) {
  const int64_t c = x.shape.c, count = x.shape.elements(), period = c * kRepeats;
  require_normalization(x, images_u8, normalization);
  alignas(64) std::array<float, kMaxImageChannels * kRepeats> mean;
  alignas(64) std::array<float, kMaxImageChannels * kRepeats> scale;
  for (int64_t i = 0; i < period; ++i) {
    mean[i] = normalization.mean[i % c];
    scale[i] = normalization.scale[i % c];
  }
  const KernelTable& table = kernels();  // outside the parallel region: it may throw
#pragma omp parallel if (worth_threads(count))
  {
    const Share mine = share_of((count + period - 1) / period);
    const int64_t first = mine.begin * period, here = std::min(count, mine.end * period) - first;
    if (here > 0) {
      table.elements(x.dtype).load_images(x.as<uint8_t>() + first * size_of(x.dtype), images_u8.as<uint8_t>() + first,
                                          mean.data(), scale.data(), period, here);
    }
  }
}

// The sum of the gradients that several consumers of one tensor produce.
void sum(const Tensor& dst, const std::vector<Tensor>& srcs) {
  static_assert(kMaxSumSources >= kMaxSumTerms);
  require_sum_terms(srcs.size());
  const auto count = static_cast<int64_t>(srcs.size());
  const Matrix to = matrix_of(dst);
  const Tiles tiles(to.m, to.c);
  const KernelTable& table = kernels();  // outside the parallel region: it may throw
#pragma omp parallel if (worth_threads(to.m * to.c))
  {
    const Share mine = share_of(tiles.count());
    std::array<Rows, kMaxSumSources> sources;
    for (int64_t i = mine.begin; i < mine.end; ++i) {
      const Tile tile = tiles[i];
      for (int64_t k = 0; k < count; ++k) sources[k] = rows_at(matrix_of(srcs[k]), tile);
      table.columns(to.dtype).sum(rows_at(to, tile), sources.data(), count, tile.rows, tile.columns);
    }
  }
}

// Stochastic gradient descent with momentum: one pass over the parameters.
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

// Running averages: population statistics and averaged parameters.
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
