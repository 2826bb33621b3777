// Weights of convolutions and linear ops on their way into the layout and type a library wants, and back: small
// kernels that run once a step over the parameters, never over activations.
#pragma once

#include <cstdint>
#include <span>

#include "bn/tensor.hpp"
#include "cuda/context.hpp"

namespace bn::cuda {

// [outputs, positions, channels]; in the library's copy a row of channels is `width` long, the rest zeros.
struct WeightLayout {
  int64_t outputs = 1, positions = 1, channels = 1, width = 1;
};

// packed = w * scale[o], rounded to `dtype`.
void scale_weights(const Context& context, void* packed, DType dtype, const float* w, const float* scale,
                   const WeightLayout& layout);

// to[row, i] = from[row, i], in to's type; zero for i >= from_width. Both are dense.
struct WeightCopy {
  const void* from = nullptr;
  void* to = nullptr;
  DType from_dtype = DType::kF32, to_dtype = DType::kF32;
  int64_t rows = 1, from_width = 1, to_width = 1;
};
// There is a launch for each pair of types and each 100 copies.
void copy_weights(const Context& context, std::span<const WeightCopy> copies);

// Paper: Algorithm 2, step 11. scale = gamma / sqrt(var + eps), bias = beta - scale * mean.
struct FoldedStatistics {
  const float* gamma;
  const float* beta;
  const float* mean;
  const float* var;
  float eps;
};
void fold_statistics(const Context& context, float* scale, float* bias, const FoldedStatistics& folded,
                     int64_t outputs);

// The separable convolution's weights, dense, and what their gradient says about its two factors; see SeparableConv2d.
struct SeparableLayout {
  int64_t outputs = 1, positions = 1, inputs = 1, multiplier = 1;
};
void compose_weights(const Context& context, float* w, const float* w0, const float* w1, const SeparableLayout& layout);
void split_weight_gradient(const Context& context, float* dw0, float* dw1, const float* dw, const float* w0,
                           const float* w1, const SeparableLayout& layout);

// values *= factor.
void scale_values(const Context& context, float* values, float factor, int64_t count);

}  // namespace bn::cuda
