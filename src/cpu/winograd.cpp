#include "cpu/winograd.hpp"

#include <omp.h>

#include <algorithm>

#include "core/op_checks.hpp"
#include "cpu/folding.hpp"

namespace bn::cpu {
namespace {

// Where all directions together gain, as benchmark_cpu_winograd measures (two cores of an Intel Xeon, model 207, with
// AVX-512). Quotients direct / Winograd of forward, forward being the best direction, and of the weight gradient:
//   tiles used by    4/16 (2x2 maps)  0.85  1.0     channels  16 (28x28)  1.3  0.8     tiles  4 (7x7)    0.4  0.8
//                    6/16 (5x5)       0.85  0.9               32          1.6  1.1            8 (7x7)    0.8  1.1
//                    9/16 (3x3, 6x6)  1.2   1.2               64          1.8  1.5           16 (7x7)    1.6  1.5
//                   12/16 (7x7)       1.9   2.0              192 (14x14)  1.9  2.0           16 (14x14)  1.3  1.4
constexpr int64_t kLeastChannels = 32;
constexpr int64_t kLeastTiles = 16;
constexpr int64_t kLeastOutputs = 8;  // a tile has 16

}  // namespace

bool allows_winograd(const ConvolutionWindow& window, const OpDesc& desc) {
  const TensorDesc &x = desc.x.at(0), &y = desc.y;
  if (window.kernel != 3 || window.stride != 1 || window.pad > 2) return false;
  if (x.dtype != y.dtype) return false;
  return std::min(x.shape.c, y.shape.c) >= kLeastChannels && TileGrid(y.shape).count() >= kLeastTiles;
}

bool suits_winograd(const ConvolutionWindow& window, const OpDesc& desc) {
  return allows_winograd(window, desc) && desc.y.shape.rows() >= kLeastOutputs * TileGrid(desc.y.shape).count();
}

WinogradConvolution::WinogradConvolution(const ConvolutionWindow& window, const std::optional<Folded>& folded,
                                         const OpDesc& desc)
    : has_bias_(folded.has_value()),
      activation_(folded ? folded->activation : Activation::kNone),
      forward_(desc.y.dtype, desc.x.at(0).shape, desc.y.shape, window.pad, omp_get_max_threads()) {
  refuse_row_strides(desc);
  require_no_backward(folded, desc);
  const Shape &x = desc.x[0].shape, &y = desc.y.shape;
  const int threads = omp_get_max_threads();
  packed_.add(forward_.weight_bytes());
  scratch_bytes_ = forward_.scratch_bytes();
  if (has_bias_) bias_offset_ = packed_.add(y.c * size_of(DType::kF32));
  if (!desc.has_backward) return;
  if (desc.wants_dx.at(0)) {
    input_gradient_.emplace(desc.y.dtype, y, x, window.kernel - 1 - window.pad, threads);
    Regions regions;
    regions.add(input_gradient_->weight_bytes());
    after_weights_offset_ = regions.add(input_gradient_->scratch_bytes());
    scratch_bytes_ = std::max(scratch_bytes_, regions.bytes());
  }
  weight_gradient_.emplace(desc.y.dtype, x, y, window.pad, threads);
  scratch_bytes_ = std::max(scratch_bytes_, weight_gradient_->scratch_bytes());
}

void WinogradConvolution::pack(void* packed, float* w, void*) {
  forward_.transform_weights(at(packed, 0), w, WindowOrder::kAsStored);
}

void WinogradConvolution::forward(const OpIo& io) {
  forward_.run({.to = io.y.data,
                .from = io.x[0].data,
                .weights = at(io.packed, 0),
                .bias = has_bias_ ? bias(io.packed) : nullptr,
                .activation = activation_},
               io.scratch);
}

void WinogradConvolution::backward(float* dw, const OpIo& io, void* scratch) {
  if (input_gradient_) {
    // Four times as large as w and read once a step, these weights live in scratch.
    void* weights = at(scratch, 0);
    input_gradient_->transform_weights(weights, io.w[0].as<const float>(), WindowOrder::kRotated);
    input_gradient_->run({.to = io.dx[0].data, .from = io.dy.data, .weights = weights},
                         at(scratch, after_weights_offset_));
  }
  weight_gradient_->run(dw, io.x[0].data, io.dy.data, scratch);
}

}  // namespace bn::cpu
