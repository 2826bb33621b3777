#include <algorithm>

#include "cpu/amx.hpp"

namespace bn::cpu {
namespace {

// A chunk's parts take as much. Sums are read and written once a chunk.
constexpr int64_t kPartBytesOfChunk = int64_t{1} << 20;  // for each thread
constexpr int64_t kLeastChunkPlaces = 512;

}  // namespace

struct AmxWeightGradient::Memory {
  AmxParts x;   // [chunk_places_ / 2, pairs of channels]
  AmxParts dy;  // [channels, gradient_places_]
  float* sums;  // blocks [outputs_, inputs_, positions] of [32, 32]
  const void* zeros;
};

AmxWeightGradient::AmxWeightGradient(const DirectionDesc& desc)
    : maps_(desc.maps),
      x_(desc.from),
      y_(desc.to),
      kernel_(desc.window.kernel),
      pad_(desc.window.pad),
      threads_(desc.threads),
      flat_(x_, pad_),
      outputs_(divide_up(y_.c, kAmxBlock)),
      inputs_(divide_up(x_.c, kAmxBlock)),
      before_(flat_.distance(kernel_ - 1 - pad_, kernel_ - 1 - pad_)) {
  const int64_t parts = maps_ == DType::kF32 ? 2 : 1;
  const int64_t place_bytes = (x_.c + y_.c) * parts * size_of(DType::kBf16);
  const int64_t most = std::max(kPartBytesOfChunk * threads_ / place_bytes, kLeastChunkPlaces);
  chunk_places_ = round_up(divide_up(flat_.places(), divide_up(flat_.places(), most)), kAmxBlock);
  chunks_ = divide_up(flat_.places(), chunk_places_);
  gradient_places_ = round_up(chunk_places_ + flat_.distance(kernel_ - 1, kernel_ - 1), kAmxBlock);
  x_pitch_ = odd_lines(inputs_ * kAmxBlock * 2, DType::kBf16);
  dy_pitch_ = odd_lines(gradient_places_, DType::kBf16);

  Regions regions;
  const int64_t x_bytes = chunk_places_ / 2 * x_pitch_ * size_of(DType::kBf16);
  const int64_t dy_bytes = outputs_ * kAmxBlock * dy_pitch_ * size_of(DType::kBf16);
  regions.add(x_bytes);
  if (parts == 2) x_low_offset_ = regions.add(x_bytes);
  dy_offset_ = regions.add(dy_bytes);
  if (parts == 2) dy_low_offset_ = regions.add(dy_bytes);
  sums_offset_ = regions.add(outputs_ * inputs_ * kernel_ * kernel_ * kAmxBlockValues * size_of(DType::kF32));
  zeros_offset_ = regions.add(std::max(x_.c, y_.c) * size_of(maps_));
  scratch_bytes_ = regions.bytes();
}

AmxWeightGradient::Memory AmxWeightGradient::divide(void* scratch) const {
  const auto values = [&](int64_t offset) { return static_cast<uint16_t*>(at(scratch, offset)); };
  const bool has_low = maps_ == DType::kF32;
  return {.x = {values(0), has_low ? values(x_low_offset_) : nullptr, x_pitch_},
          .dy = {values(dy_offset_), has_low ? values(dy_low_offset_) : nullptr, dy_pitch_},
          .sums = static_cast<float*>(at(scratch, sums_offset_)),
          .zeros = at(scratch, zeros_offset_)};
}

void AmxWeightGradient::run(float* dw, const void* x, const void* dy, void* scratch) const {
  std::fill_n(static_cast<uint8_t*>(at(scratch, zeros_offset_)), std::max(x_.c, y_.c) * size_of(maps_), uint8_t{0});
  const Memory memory = divide(scratch);
#pragma omp parallel num_threads(threads_)
  {
    kernels_.begin();
    for (int64_t chunk = 0; chunk < chunks_; ++chunk) {
      rearrange(memory, chunk, x, dy);
#pragma omp barrier
      multiply(memory, chunk);
#pragma omp barrier
    }
    kernels_.end();
    write(dw, memory);
  }
}

void AmxWeightGradient::rearrange(const Memory& memory, int64_t chunk, const void* x, const void* dy) const {
  const int64_t first = chunk * chunk_places_;
  const void* rows[kAmxBlock];
  const auto read = [&](int64_t place, const Shape& map, const void* data) {
    const int64_t pixel_bytes = map.c * size_of(maps_);
    const std::array<int64_t, kAmxBlock> pixels = flat_.pixels(map, place);
    for (int64_t i = 0; i < kAmxBlock; ++i) {
      rows[i] = pixels[i] < 0 ? memory.zeros : static_cast<const uint8_t*>(data) + pixels[i] * pixel_bytes;
    }
  };
  const int64_t x_groups = chunk_places_ / kAmxBlock, dy_groups = gradient_places_ / kAmxBlock;
  const Share x_share = share_of(x_groups), dy_share = share_of(dy_groups);
  for (int64_t group = x_share.begin; group < x_share.end; ++group) {
    read(first + group * kAmxBlock, x_, x);
    kernels_.pair_rows(advanced(memory.x, group * (kAmxBlock / 2) * x_pitch_), rows, x_.c);
  }
  for (int64_t group = dy_share.begin; group < dy_share.end; ++group) {
    read(first - before_ + group * kAmxBlock, y_, dy);
    kernels_.transpose_rows(advanced(memory.dy, group * kAmxBlock), rows, y_.c);
  }
}

void AmxWeightGradient::multiply(const Memory& memory, int64_t chunk) const {
  const int64_t positions = kernel_ * kernel_;
  const Share blocks = share_of(outputs_ * inputs_ * positions);
  for (int64_t block = blocks.begin; block < blocks.end; ++block) {
    const int64_t output = block / (inputs_ * positions), input = block / positions % inputs_;
    const int64_t position = block % positions;
    // Where x has place q, dy has the place that the window's position maps it to.
    const int64_t shift = before_ - flat_.distance(position / kernel_ - pad_, position % kernel_ - pad_);
    kernels_.multiply_pairs(memory.sums + block * kAmxBlockValues, chunk > 0,
                            advanced(memory.dy, output * kAmxBlock * dy_pitch_ + shift),
                            advanced(memory.x, input * kAmxBlock * 2), chunk_places_ / kAmxBlock);
  }
}

// Each thread writes what it has summed.
void AmxWeightGradient::write(float* dw, const Memory& memory) const {
  const int64_t positions = kernel_ * kernel_;
  const Share blocks = share_of(outputs_ * inputs_ * positions);
  for (int64_t block = blocks.begin; block < blocks.end; ++block) {
    const int64_t o = block / (inputs_ * positions) * kAmxBlock, i = block / positions % inputs_ * kAmxBlock;
    const float* sums = memory.sums + block * kAmxBlockValues;
    for (int64_t row = 0; row < std::min(kAmxBlock, y_.c - o); ++row) {
      std::copy_n(sums + row * kAmxBlock, std::min(kAmxBlock, x_.c - i),
                  dw + ((o + row) * positions + block % positions) * x_.c + i);
    }
  }
}

}  // namespace bn::cpu
