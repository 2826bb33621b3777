#include "cpu/amx.hpp"

#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>

#include "cpu/onednn_api.hpp"

namespace bn::cpu {
namespace {

// Where all directions that are asked for gain together. Quotients of times over BN-Inception's shapes, oneDNN's or
// Winograd's / ours, on two cores of an Intel Xeon whose neighbours slow AMX down
// (experiments/benchmarks/cpu_notes.md):
//                         forward        forward and backward
//   f32, 1x1              1.1 to 2.9     0.8 to 1.0; of 160 outputs and more 1.0 to 1.3; on maps up to 4x4 1.0 to 1.9
//        3x3              0.4 to 1.2     0.4 to 1.1
//   bf16, 1x1             0.6 to 1.2     0.6 to 1.1
//         3x3             0.8 to 1.1     0.8 to 0.9; on maps up to 16x16 1.0 to 2.0
//         3x3, up to 4x4  1.1 to 2.1     2.1 to 4.2
constexpr int64_t kLeastChannels = 32;  // a block
constexpr int64_t kLeastInputsOfProduct = 128;
constexpr int64_t kManyOutputs = 160;
constexpr int64_t kTinyMap = 4, kSmallMap = 16;

// Linux saves the tiles of programs alone that have asked for them.
bool may_use_tiles() {
#if defined(__x86_64__)
  constexpr int64_t kRequestPermission = 0x1023, kTileData = 18;  // ARCH_REQ_XCOMP_PERM
  static const bool kMay = syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
  return kMay;
#else
  return false;
#endif
}

}  // namespace

AmxParts advanced(const AmxParts& parts, int64_t values) {
  return {parts.high + values, parts.low == nullptr ? nullptr : parts.low + values, parts.pitch};
}

FlatMaps::Run FlatMaps::run(const Shape& map, int64_t first, int64_t count) const {
  if (first < 0) return {std::min(count, -first), -1};
  if (first >= places()) return {count, -1};
  if (is_filled_by(map)) return {std::min(count, places() - first), first};
  const int64_t line = first / width_, column = first % width_, row = line % height_;
  if (row >= map.h || column >= map.w) return {std::min(count, width_ - column), -1};
  return {std::min(count, map.w - column), (line / height_ * map.h + row) * map.w + column};
}

std::array<int64_t, kAmxBlock> FlatMaps::pixels(const Shape& map, int64_t first) const {
  std::array<int64_t, kAmxBlock> pixels;
  for (int64_t i = 0; i < kAmxBlock;) {
    const Run here = run(map, first + i, kAmxBlock - i);
    for (int64_t j = 0; j < here.count; ++j) pixels[i + j] = here.pixel < 0 ? -1 : here.pixel + j;
    i += here.count;
  }
  return pixels;
}

bool has_amx() { return kernels().amx_f32.multiply != nullptr && allows_instructions("amx") && may_use_tiles(); }

bool suits_amx(const ConvolutionWindow& window, const OpDesc& desc) {
  const Shape &x = desc.x.at(0).shape, &y = desc.y.shape;
  if (window.stride != 1 || window.pad >= window.kernel || desc.x[0].dtype != desc.y.dtype) return false;
  if (std::min(x.c, y.c) < kLeastChannels) return false;
  const int64_t side = std::max(y.h, y.w);
  if (desc.y.dtype == DType::kBf16) {
    return window.kernel == 3 && side <= (desc.has_backward ? kSmallMap : kTinyMap);
  }
  if (window.kernel != 1) return false;
  if (!desc.has_backward) return x.c >= kLeastInputsOfProduct;
  return y.c >= kManyOutputs || side <= kTinyMap;
}

}  // namespace bn::cpu
