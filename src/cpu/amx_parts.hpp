// What a convolution of stride 1 on AMX is made of: its maps as one row of pixels, and its three directions, of which
// the input gradient is a convolution of dy with windows rotated by half a turn.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "bn/tensor.hpp"
#include "core/regions.hpp"
#include "cpu/kernels/kernels.hpp"
#include "cpu/winograd_parts.hpp"

namespace bn::cpu {

constexpr int64_t kAmxBlockValues = kAmxBlock * kAmxBlock;

// As many values of bf16 as fill an odd number of cache lines: rows at such a distance lie in different sets of a
// cache.
int64_t odd_lines(int64_t values);
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

// to[n, r, s, :] = sum over windows of from[n, r - pad + i, s - pad + j, :] times weights; zero outside the map. `from`
// and `to` hold elements of type `maps`. A thread takes a block of places at a time, whose parts stay in its
// second-level cache.
class AmxCorrelation {
 public:
  AmxCorrelation(DType maps, const Shape& from, const Shape& to, int64_t kernel, int64_t pad, int threads);

  int64_t weight_bytes() const;  // packed
  int64_t scratch_bytes() const { return threads_ * thread_bytes_; }

  // w: ohwi. As stored its i are summed over, rotated its o.
  void pack(void* packed, const float* w, WindowOrder order) const;

  struct Call {
    void* to;
    const void* from;
    const void* weights;  // packed
    const float* bias = nullptr;
    Activation activation = Activation::kNone;
  };
  void run(const Call& call, void* scratch) const;

 private:
  void run_block(const Call& call, int64_t block, void* scratch) const;
  void split(const AmxParts& parts, const void* from, int64_t first, int64_t count) const;
  AmxParts parts(void* scratch) const;

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

// dw[o, i, j, :] = sum over images and pixels of dy[.., o] x[.., :], x and dy of type `maps`, in chunks of places: all
// threads rearrange a chunk, then each adds its blocks' products to their sums. So sums have one order, however many
// threads there are.
class AmxWeightGradient {
 public:
  AmxWeightGradient(DType maps, const Shape& x, const Shape& y, int64_t kernel, int64_t pad, int threads);

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

}  // namespace bn::cpu
