// What a Winograd convolution is made of: tiles, products that one thread runs by itself, and its three directions, of
// which the input gradient is a convolution of dy with windows rotated by half a turn.
#pragma once

#include <cstdint>
#include <vector>

#include "bn/tensor.hpp"
#include "cpu/kernels/kernels.hpp"
#include "cpu/onednn.hpp"

namespace bn::cpu {

// The 4x4 tiles that cover maps [n, h, w, c], image by image, row by row.
class TileGrid {
 public:
  explicit TileGrid(const Shape& shape);
  int64_t count() const { return images_ * rows_ * columns_; }

  struct Place {
    int64_t image, row, column;  // the tile's first pixel
  };
  Place place(int64_t tile) const;

 private:
  int64_t images_, rows_, columns_;
};

// The i-th of a batch of maps.
inline const void* image(const void* maps, DType dtype, const Shape& shape, int64_t i) {
  return static_cast<const uint8_t*>(maps) + i * shape.h * shape.w * shape.c * size_of(dtype);
}
inline void* image(void* maps, DType dtype, const Shape& shape, int64_t i) {
  return static_cast<uint8_t*>(maps) + i * shape.h * shape.w * shape.c * size_of(dtype);
}

// Matrices [rows, columns], one for each plane.
struct PlaneMatrices {
  int64_t rows, columns;

  // Elements from plane to plane: an odd number of cache lines, or all planes would meet in the same few sets of a
  // cache.
  int64_t stride() const;
  int64_t bytes() const { return kWinogradPlanes * stride() * size_of(DType::kF32); }
  Planes row(void* data, int64_t index) const { return {static_cast<float*>(data) + index * columns, stride()}; }
  dnnl::memory::desc all() const;         // [36, rows, columns]
  dnnl::memory::desc one() const;         // [rows, columns]
  dnnl::memory::desc transposed() const;  // [columns, rows]
};

enum class ProductResult { kOverwrite, kAdd };

// y = a b, or y += a b, which threads run each by themselves: a prepared call and a scratchpad a thread.
class ThreadProducts {
 public:
  ThreadProducts() = default;
  ThreadProducts(const dnnl::memory::desc& y, const dnnl::memory::desc& a, const dnnl::memory::desc& b,
                 ProductResult result, int threads);

  int64_t scratch_bytes() const { return calls_.front().scratch_bytes(); }  // one thread's
  void run(int thread, float* y, float* a, float* b, void* scratch);

 private:
  std::vector<PreparedCall> calls_;
};

enum class WindowOrder { kAsStored, kRotated };

// to[n, r, s, :] = sum over 3x3 windows of from[n, r - pad + i, s - pad + j, :] times weights; zero outside the map.
// `from` and `to` hold elements of type `maps`. A thread takes a block of tiles at a time, whose transforms and
// products stay in its second-level cache.
class WinogradCorrelation {
 public:
  WinogradCorrelation(DType maps, const Shape& from, const Shape& to, int64_t pad, int threads);

  int64_t weight_bytes() const { return weights_.bytes(); }  // transformed
  int64_t scratch_bytes() const { return threads_ * thread_bytes_; }

  // w: ohwi. As stored its i are summed over, rotated its o.
  void transform_weights(void* transformed, const float* w, WindowOrder order) const;

  struct Call {
    void* to;
    const void* from;
    void* weights;  // transformed
    const float* bias = nullptr;
    Activation activation = Activation::kNone;
  };
  void run(const Call& call, void* scratch);

 private:
  void run_block(const Call& call, int64_t block, int thread, void* scratch);

  DType maps_;
  Shape from_, to_;
  int64_t pad_;
  int threads_;
  TileGrid grid_;
  int64_t blocks_;
  PlaneMatrices inputs_, products_, weights_;  // [tiles of a block, c of from], [.., c of to], [c of from, c of to]
  ThreadProducts multiply_;
  int64_t products_offset_ = 0, scratchpad_offset_ = 0, thread_bytes_ = 0;
  const WinogradKernels& kernels_ = kernels().winograd(maps_);
};

// dw[o, i, j, :] = sum over images and pixels of dy[.., o] x[.., :], x and dy of type `maps`, in chunks of tiles: all
// threads transform a chunk, then each adds its planes' products to their sums. So sums have one order, however many
// threads there are.
class WinogradWeightGradient {
 public:
  WinogradWeightGradient(DType maps, const Shape& x, const Shape& y, int64_t pad, int threads);

  int64_t scratch_bytes() const { return scratch_bytes_; }
  void run(float* dw, const void* x, const void* dy, void* scratch);

 private:
  struct Memory;  // scratch, divided
  Memory divide(void* scratch) const;
  void transform_chunk(const Memory& memory, int64_t chunk, const void* x, const void* dy) const;
  void multiply_chunk(const Memory& memory, int64_t chunk, int thread);
  void transform_sums(float* dw, const Memory& memory) const;

  DType maps_;
  Shape x_, y_;
  int64_t pad_;
  int threads_;
  TileGrid grid_;
  int64_t chunks_;
  PlaneMatrices inputs_, gradients_, sums_;  // [tiles of a chunk, i], [.., o], [o, i]
  ThreadProducts first_, others_;
  int64_t gradients_offset_ = 0, sums_offset_ = 0, scratchpads_offset_ = 0, scratchpad_bytes_ = 0;
  int64_t scratch_bytes_ = 0;
  const WinogradKernels& kernels_ = kernels().winograd(maps_);
};

}  // namespace bn::cpu
