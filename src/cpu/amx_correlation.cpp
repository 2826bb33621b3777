#include <algorithm>

#include "cpu/amx.hpp"

namespace bn::cpu {
namespace {

// A block's parts take as much, so that a second-level cache holds them and the weights of 32 outputs.
constexpr int64_t kPartBytesOfBlock = int64_t{768} << 10;

}  // namespace

AmxCorrelation::AmxCorrelation(const DirectionDesc& desc)
    : maps_(desc.maps),
      from_(desc.from),
      to_(desc.to),
      kernel_(desc.window.kernel),
      pad_(desc.window.pad),
      threads_(desc.threads),
      flat_(from_, pad_),
      depths_(divide_up(from_.c, kAmxBlock)),
      groups_(divide_up(to_.c, kAmxBlock)),
      pitch_(odd_lines(from_.c, DType::kBf16)),
      halo_(flat_.distance(kernel_ - 1, kernel_ - 1)) {
  const int64_t place_bytes = pitch_ * (maps_ == DType::kF32 ? 2 : 1) * size_of(DType::kBf16);
  const int64_t wanted = divide_up(flat_.places() * place_bytes, kPartBytesOfBlock);
  block_places_ = round_up(divide_up(flat_.places(), round_up(wanted, threads_)), kAmxBlock);
  blocks_ = divide_up(flat_.places(), block_places_);
  for (int64_t i = 0; i < kernel_; ++i) {
    for (int64_t j = 0; j < kernel_; ++j) taps_.push_back(flat_.distance(i, j));
  }
  Regions regions;
  const int64_t part_bytes = (block_places_ + halo_) * pitch_ * size_of(DType::kBf16);
  regions.add(part_bytes);
  if (maps_ == DType::kF32) low_offset_ = regions.add(part_bytes);
  thread_bytes_ = regions.bytes();
}

int64_t AmxCorrelation::weight_bytes() const {
  return groups_ * kernel_ * kernel_ * depths_ * kAmxBlockValues * (maps_ == DType::kF32 ? 2 : 1) *
         size_of(DType::kBf16);
}

void AmxCorrelation::pack(void* packed, const float* w, WindowOrder order) const {
  const int64_t positions = kernel_ * kernel_, blocks = groups_ * positions * depths_;
  const int64_t block_bytes = weight_bytes() / blocks;
  const bool is_rotated = order == WindowOrder::kRotated;
  const int64_t inputs = is_rotated ? to_.c : from_.c;  // i of ohwi
#pragma omp parallel for num_threads(threads_) schedule(static)
  for (int64_t block = 0; block < blocks; ++block) {
    const int64_t group = block / (positions * depths_), position = block / depths_ % positions;
    const int64_t column = group * kAmxBlock, depth = block % depths_ * kAmxBlock;
    AmxWeights weights{.data = w,
                       .depths = std::min(kAmxBlock, from_.c - depth),
                       .columns = std::min(kAmxBlock, to_.c - column),
                       .depth_stride = 1,
                       .column_stride = positions * inputs};
    if (is_rotated) std::swap(weights.depth_stride, weights.column_stride);
    weights.data += (is_rotated ? positions - 1 - position : position) * inputs + depth * weights.depth_stride +
                    column * weights.column_stride;
    kernels_.pack(static_cast<uint16_t*>(at(packed, block * block_bytes)), weights);
  }
}

void AmxCorrelation::run(const CorrelationCall& call, void* scratch) const {
#pragma omp parallel num_threads(threads_)
  {
    void* mine = at(scratch, omp_get_thread_num() * thread_bytes_);
    const Share blocks = share_of(blocks_);
    if (blocks.begin < blocks.end) {
      // Weights beyond the last channel are zero, and what they multiply has to be a number.
      if (from_.c % kAmxBlock != 0) {
        std::fill_n(static_cast<uint8_t*>(mine), thread_bytes_ - Regions::kAlignment, uint8_t{0});
      }
      kernels_.begin();
      for (int64_t block = blocks.begin; block < blocks.end; ++block) run_block(call, block, mine);
      kernels_.end();
    }
  }
}

void AmxCorrelation::split(const AmxParts& parts, const void* from, int64_t first, int64_t count) const {
  for (int64_t i = 0; i < count;) {
    const FlatMaps::Run run = flat_.run(from_, first + i, count - i);
    const AmxParts to = advanced(parts, i * pitch_);
    if (run.pixel >= 0) {
      kernels_.split(to, static_cast<const uint8_t*>(from) + run.pixel * from_.c * size_of(maps_), run.count, from_.c);
    } else {
      std::fill_n(to.high, run.count * pitch_, uint16_t{0});
      if (to.low != nullptr) std::fill_n(to.low, run.count * pitch_, uint16_t{0});
    }
    i += run.count;
  }
}

void AmxCorrelation::run_block(const CorrelationCall& call, int64_t block, void* scratch) const {
  const int64_t first = block * block_places_;
  const int64_t count = std::min(block_places_, round_up(flat_.places() - first, kAmxBlock));
  const AmxParts parts{.high = static_cast<uint16_t*>(scratch),
                       .low = maps_ == DType::kF32 ? static_cast<uint16_t*>(at(scratch, low_offset_)) : nullptr,
                       .pitch = pitch_};
  split(parts, call.from, first - flat_.distance(pad_, pad_), count + halo_);

  const int64_t group_bytes = weight_bytes() / groups_;
  const auto taps = static_cast<int64_t>(taps_.size());
  const int64_t element = size_of(maps_);
  const bool is_plain =
      flat_.is_filled_by(to_) && maps_ == DType::kF32 && call.bias == nullptr && call.activation == Activation::kNone;
  for (int64_t group = 0; group < groups_; ++group) {
    const int64_t column = group * kAmxBlock, columns = std::min(kAmxBlock, to_.c - column);
    const auto* weights =
        reinterpret_cast<const uint16_t*>(static_cast<const uint8_t*>(call.weights) + group * group_bytes);
    for (int64_t i = 0; i < count; i += kAmxBlock) {
      const AmxParts here = advanced(parts, i * pitch_);
      if (is_plain && columns == kAmxBlock && first + i + kAmxBlock <= flat_.places()) {
        kernels_.multiply(static_cast<float*>(call.to) + (first + i) * to_.c + column, to_.c, here, taps_.data(), taps,
                          depths_, weights);
        continue;
      }
      alignas(64) float sums[kAmxBlockValues];
      void* outputs[kAmxBlock];
      kernels_.multiply(sums, kAmxBlock, here, taps_.data(), taps, depths_, weights);
      const std::array<int64_t, kAmxBlock> pixels = flat_.pixels(to_, first + i);
      for (int64_t row = 0; row < kAmxBlock; ++row) {
        outputs[row] =
            pixels[row] < 0 ? nullptr : static_cast<uint8_t*>(call.to) + (pixels[row] * to_.c + column) * element;
      }
      kernels_.store_rows(outputs, sums, columns, call.bias == nullptr ? nullptr : call.bias + column, call.activation);
    }
  }
}

}  // namespace bn::cpu
