// Convolutions 3x3 of stride 1 by Winograd's F(4x4, 3x3), computed in f32 on maps of either type. A tile of 4x4 outputs
// takes 36 multiplications for each pair of channels, a direct convolution 144. The transforms are our kernels; the 36
// products of matrices, each over many tiles, are oneDNN's.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "bn/tensor.hpp"
#include "cpu/kernels/kernels.hpp"
#include "cpu/onednn.hpp"
#include "cpu/own_convolution.hpp"

namespace bn::cpu {

// The 4x4 tiles that cover maps `to` [n, h, w, c], and the 6x6 pixels of `from` that each of them is computed from. All
// images lie in one plane, some of them side by side. Either each has tiles of its own, or, in training, images have
// only their padding between them and share tiles: 14x14 then needs 14.1 tiles an image in place of 16, and 2x2
// needs 0.56 in place of 1.
class TileGrid {
 public:
  explicit TileGrid(const DirectionDesc& desc);

  int64_t count() const { return static_cast<int64_t>(rows_.size() * columns_.size()); }
  TilePixels from(int64_t tile) const;
  TilePixels to(int64_t tile) const;

 private:
  struct Line {  // of tiles: where its rows, or columns, of pixels begin
    std::array<int64_t, kWinogradPatch> from;
    std::array<int64_t, kWinogradTile> to;
  };
  std::vector<Line> rows_, columns_;
  int64_t from_channels_, to_channels_;
};

// Matrices [rows, columns], one for each plane.
struct PlaneMatrices {
  int64_t rows, columns;

  int64_t stride() const { return odd_lines(rows * columns, DType::kF32); }  // elements from plane to plane
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

// A thread takes a block of tiles at a time, whose transforms and products stay in its second-level cache.
class WinogradCorrelation {
 public:
  explicit WinogradCorrelation(const DirectionDesc& desc);

  static std::string implementation(DType) { return "winograd_f43"; }
  int64_t weight_bytes() const { return weights_.bytes(); }  // transformed
  int64_t scratch_bytes() const { return desc_.threads * thread_bytes_; }

  void pack(void* transformed, const float* w, WindowOrder order) const;
  void run(const CorrelationCall& call, void* scratch);

 private:
  void run_block(const CorrelationCall& call, int64_t block, int thread, void* scratch);

  DirectionDesc desc_;
  TileGrid grid_;
  int64_t blocks_;
  PlaneMatrices inputs_, products_, weights_;  // [tiles of a block, c of from], [.., c of to], [c of from, c of to]
  ThreadProducts multiply_;
  int64_t products_offset_ = 0, scratchpad_offset_ = 0, thread_bytes_ = 0;
  const WinogradKernels& kernels_ = kernels().winograd(desc_.maps);
};

// In chunks of tiles: all threads transform a chunk, then each adds its planes' products to their sums. So sums have
// one order, however many threads there are.
class WinogradWeightGradient {
 public:
  explicit WinogradWeightGradient(const DirectionDesc& desc);

  int64_t scratch_bytes() const { return scratch_bytes_; }
  void run(float* dw, const void* x, const void* dy, void* scratch);

 private:
  struct Memory;  // scratch, divided
  Memory divide(void* scratch) const;
  void transform_chunk(const Memory& memory, int64_t chunk, const void* x, const void* dy) const;
  void multiply_chunk(const Memory& memory, int64_t chunk, int thread);
  void transform_sums(float* dw, const Memory& memory) const;

  DirectionDesc desc_;
  TileGrid grid_;
  int64_t chunks_;
  PlaneMatrices inputs_, gradients_, sums_;  // [tiles of a chunk, i], [.., o], [o, i]
  ThreadProducts first_, others_;
  int64_t gradients_offset_ = 0, sums_offset_ = 0, scratchpads_offset_ = 0, scratchpad_bytes_ = 0;
  int64_t scratch_bytes_ = 0;
  const WinogradKernels& kernels_ = kernels().winograd(desc_.maps);
};

using WinogradConvolution = OwnConvolution<WinogradCorrelation, WinogradWeightGradient>;

// Whether it computes such a convolution, of enough channels and tiles to be of use.
bool allows_winograd(const ConvolutionWindow& window, const OpDesc& desc);
// Whether it is quicker than a direct convolution in f32: known from the shape alone.
bool suits_winograd(const ConvolutionWindow& window, const OpDesc& desc);

}  // namespace bn::cpu
