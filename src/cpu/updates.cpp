// Backend's updates of whole tensors and slabs.
#include <array>
#include <atomic>

#include "core/op_checks.hpp"
#include "cpu/backend.hpp"
#include "cpu/tiles.hpp"

namespace bn::cpu {
namespace {

constexpr int64_t kRepeats = 64;  // pixels over which the channels' constants are laid out for whole vectors
constexpr int64_t kSpan = 4096;

// Stochastic gradient descent with momentum: one pass over the parameters.
void sgd_step(const SgdUpdate& update) {
  const int64_t count = update.value.shape.elements();
  std::atomic<bool> non_finite = false;
  const KernelTable& table = kernels();  // outside the parallel region: it may throw
  in_spans(count, kSpan, count, [&](int64_t first, int64_t here) {
    const bool bad = table.updates.sgd(update.value.as<float>() + first, update.velocity.as<float>() + first,
                                       update.gradient.as<float>() + first, update, here);
    if (bad) non_finite = true;
  });
  if (non_finite && update.step->first_bad_step < 0) {
    update.step->first_bad_step = static_cast<int64_t>(update.step->now.step);
  }
}

}  // namespace

void CpuBackend::update(const ParameterUpdate& all) {
  unpack(all.unpacks);
  for (const SgdUpdate& update : all.updates) sgd_step(update);
  pack(all.packs);
}

// Images become activations here: bytes to f32 or bf16.
void CpuBackend::load_images(const Tensor& x, const Tensor& images_u8, const ImageNormalization& normalization) {
  const int64_t c = x.shape.c, count = x.shape.elements(), period = c * kRepeats;
  require_normalization(x, images_u8, normalization);
  alignas(64) std::array<float, kMaxImageChannels * kRepeats> mean;
  alignas(64) std::array<float, kMaxImageChannels * kRepeats> scale;
  for (int64_t i = 0; i < period; ++i) {
    mean[i] = normalization.mean[i % c];
    scale[i] = normalization.scale[i % c];
  }
  const KernelTable& table = kernels();  // outside the parallel region: it may throw
  in_spans(count, period, count, [&](int64_t first, int64_t here) {
    table.elements(x.dtype).load_images(x.as<uint8_t>() + first * size_of(x.dtype), images_u8.as<uint8_t>() + first,
                                        mean.data(), scale.data(), period, here);
  });
}

void CpuBackend::sum(const Tensor& dst, const std::vector<Tensor>& srcs) { cpu::sum(dst, srcs); }

void sum(const Tensor& dst, const std::vector<Tensor>& srcs) {
  static_assert(kMaxSumSources >= kMaxSumTerms);
  require_sum_terms(srcs.size());
  const ops::Matrix to = ops::matrix_of(dst);
  const ColumnKernels& kernels = cpu::kernels().columns(to.dtype);
  Tiles(to.m, to.c).for_each([&](const Tile& tile) {
    std::array<Rows, kMaxSumSources> sources;
    for (size_t k = 0; k < srcs.size(); ++k) sources[k] = tile.of(ops::matrix_of(srcs[k]));
    kernels.sum(tile.of(to), sources.data(), static_cast<int64_t>(srcs.size()), tile.rows, tile.columns);
  });
}

// Running averages: population statistics and averaged parameters.
void CpuBackend::blend(const Tensor& running, const Tensor& batch, const Tensor& factor, const float* weight) {
  const int64_t count = running.shape.elements();
  const KernelTable& table = kernels();  // outside the parallel region: it may throw
  in_spans(count, kSpan, count, [&](int64_t first, int64_t here) {
    table.updates.blend(running.as<float>() + first, batch.as<float>() + first,
                        factor ? factor.as<float>() + first : nullptr, *weight, here);
  });
}

}  // namespace bn::cpu
