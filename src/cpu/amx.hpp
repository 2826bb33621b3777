// Convolutions of stride 1 on AMX, by kernels of our own: bf16 as it is, and f32 as three products of bf16
// (kernels/amx.cpp). On the networks' shapes these err by up to 6e-6 of the largest value, where f32's own sums err by
// 0.2e-6 to 1.5e-6 and Winograd's by 15e-6.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "bn/tensor.hpp"
#include "cpu/kernels/kernels.hpp"
#include "cpu/own_convolution.hpp"

namespace bn::cpu {

constexpr int64_t kAmxBlockValues = kAmxBlock * kAmxBlock;

// Some values on.
AmxParts advanced(const AmxParts& parts, int64_t values);

// Maps [n, h, w, c] as places in one row: `pad` places behind each row of pixels and `pad` rows behind each image hold
// zeros, which serve as the padding before the next ones, too. A window's pixels then lie at the same distances from
// each other everywhere, and 16 neighbouring places fill a tile of any map. What a convolution makes of the maps has
// its pixels in the same places.
class FlatMaps {
 public:
  FlatMaps(const Shape& shape, int64_t pad) : n_(shape.n), height_(shape.h + pad), width_(shape.w + pad) {}

  int64_t places() const { return n_ * height_ * width_; }
  int64_t distance(int64_t rows, int64_t columns) const { return rows * width_ + columns; }
  // Whether `map` has a pixel in every place.
  bool is_filled_by(const Shape& map) const { return map.h == height_ && map.w == width_; }

  // A run of places from `first` on, of at most `count`, in which `map` has either pixels or none.
  struct Run {
    int64_t count;
    int64_t pixel;  // the first of [n, h, w], or -1
  };
  Run run(const Shape& map, int64_t first, int64_t count) const;
  // The same of each place in a block.
  std::array<int64_t, kAmxBlock> pixels(const Shape& map, int64_t first) const;

 private:
  int64_t n_, height_, width_;  // with padding
};

// A thread takes a block of places at a time, whose parts stay in its second-level cache.
class AmxCorrelation {
 public:
  explicit AmxCorrelation(const DirectionDesc& desc);

  static std::string implementation(DType maps) { return maps == DType::kF32 ? "amx_bf16x3" : "amx_bf16"; }
  int64_t weight_bytes() const;  // packed
  int64_t scratch_bytes() const { return threads_ * thread_bytes_; }

  void pack(void* packed, const float* w, WindowOrder order) const;
  void run(const CorrelationCall& call, void* scratch) const;

 private:
  void run_block(const CorrelationCall& call, int64_t block, void* scratch) const;
  void split(const AmxParts& parts, const void* from, int64_t first, int64_t count) const;

  DType maps_;
  Shape from_, to_;
  int64_t kernel_, pad_;
  int threads_;
  FlatMaps flat_;
  int64_t depths_, groups_;        // blocks of 32 channels of `from` and of `to`
  int64_t pitch_;                  // of a place's parts
  int64_t blocks_, block_places_;  // places of `to`
  int64_t halo_;                   // further places of `from`
  std::vector<int64_t> taps_;
  int64_t low_offset_ = 0, thread_bytes_ = 0;
  const AmxKernels& kernels_ = kernels().amx(maps_);
};

// In chunks of places: all threads rearrange a chunk, then each adds its blocks' products to their sums. So sums have
// one order, however many threads there are.
class AmxWeightGradient {
 public:
  explicit AmxWeightGradient(const DirectionDesc& desc);

  int64_t scratch_bytes() const { return scratch_bytes_; }
  void run(float* dw, const void* x, const void* dy, void* scratch) const;

 private:
  struct Memory;  // scratch, divided
  Memory divide(void* scratch) const;
  void rearrange(const Memory& memory, int64_t chunk, const void* x, const void* dy) const;
  void multiply(const Memory& memory, int64_t chunk) const;
  void write(float* dw, const Memory& memory) const;

  DType maps_;
  Shape x_, y_;
  int64_t kernel_, pad_;
  int threads_;
  FlatMaps flat_;
  int64_t outputs_, inputs_;                         // blocks of 32 channels
  int64_t before_, chunk_places_, gradient_places_;  // places of dy before a chunk's first; of x; of dy
  int64_t chunks_;
  int64_t x_pitch_, dy_pitch_;
  int64_t x_low_offset_ = 0, dy_offset_ = 0, dy_low_offset_ = 0, sums_offset_ = 0, zeros_offset_ = 0;
  int64_t scratch_bytes_ = 0;
  const AmxKernels& kernels_ = kernels().amx(maps_);
};

using AmxConvolution = OwnConvolution<AmxCorrelation, AmxWeightGradient>;

// Whether this machine and the kernels in use have AMX.
bool has_amx();
// Whether it computes such a convolution quicker than oneDNN's, or Winograd's: known from the shape alone.
bool suits_amx(const ConvolutionWindow& window, const OpDesc& desc);

}  // namespace bn::cpu
