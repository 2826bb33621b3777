// Images from bytes to activations.
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "bn/error.hpp"
#include "cpu/kernels/kernels.hpp"
#include "cpu/parallel.hpp"
#include "cpu/updates.hpp"

namespace bn::cpu {
namespace {

constexpr int64_t kMaxChannels = 16;
constexpr int64_t kRepeats = 64;  // pixels over which the channels' constants are laid out for whole vectors

}  // namespace

void load_images(const Tensor& x, const Tensor& images_u8, const ImageNormalization& normalization) {
  const int64_t c = x.shape.c, count = x.shape.elements(), period = c * kRepeats;
  if (c > kMaxChannels) {
    throw UnsupportedError(fmt::format("Images can have at most {} channels, not {}.", kMaxChannels, c));
  }
  if (static_cast<int64_t>(normalization.mean.size()) != c || static_cast<int64_t>(normalization.scale.size()) != c) {
    throw ConfigError(fmt::format("The images have {} channels, but their normalisation has {} means and {} scales.", c,
                                  normalization.mean.size(), normalization.scale.size()));
  }
  if (images_u8.shape != x.shape) {
    throw ShapeError(fmt::format("Images of shape {} cannot be loaded into an input of shape {}.",
                                 to_string(images_u8.shape), to_string(x.shape)));
  }
  alignas(64) std::array<float, kMaxChannels * kRepeats> mean;
  alignas(64) std::array<float, kMaxChannels * kRepeats> scale;
  for (int64_t i = 0; i < period; ++i) {
    mean[i] = normalization.mean[i % c];
    scale[i] = normalization.scale[i % c];
  }
  const Kernels& table = kernels();  // outside the parallel region: it may throw
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
