// Images become activations here: bytes to f32 or bf16.
#include <algorithm>
#include <array>

#include "core/op_checks.hpp"
#include "cpu/kernels/kernels.hpp"
#include "cpu/parallel.hpp"
#include "cpu/updates.hpp"

namespace bn::cpu {
namespace {

constexpr int64_t kRepeats = 64;  // pixels over which the channels' constants are laid out for whole vectors

}  // namespace

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

}  // namespace bn::cpu
