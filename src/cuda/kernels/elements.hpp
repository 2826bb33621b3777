// Kernels over dense tensors, a few elements a thread.
#pragma once

#include <cstdint>

#include "bn/ops.hpp"
#include "core/op_checks.hpp"
#include "cuda/context.hpp"

namespace bn::cuda {

void local_response_norm(const Context& context, const Tensor& y, const Tensor& x, const LocalResponseNorm& spec);
void local_response_norm_gradient(const Context& context, const Tensor& dx, const Tensor& dy, const Tensor& x,
                                  const LocalResponseNorm& spec);

// y = x * mask / (1 - rate); the mask is MaskStream's for this op (hash_name of its path), seed and step.
void dropout(const Context& context, const Tensor& y, const Tensor& x, const StepState* step, uint64_t op, float rate);

// losses[i] = -log softmax(logits[i])[labels[i]], 0 for label -1; marks the step when a loss is not finite.
void softmax_loss(const Context& context, float* losses, StepState* step, const float* logits, const int32_t* labels,
                  int64_t n, int64_t classes);
// dx = weight * (softmax(logits) - onehot) / number of labels >= 0.
void softmax_loss_gradient(const Context& context, float* dx, const float* logits, const int32_t* labels, int64_t n,
                           int64_t classes, float weight);

// One row of an image each: to[row, 0..bytes) = from[row, 0..bytes), rows `pitch` bytes apart.
void copy_rows(const Context& context, void* to, int64_t to_pitch, const void* from, int64_t from_pitch, int64_t rows,
               int64_t bytes);

struct ChannelNormalization {
  float mean[kMaxImageChannels];
  float scale[kMaxImageChannels];
};
// x[pixel, channel] = (image - mean) * scale; zeros from channel c to x's row stride.
void normalize_images(const Context& context, const Tensor& x, const uint8_t* images,
                      const ChannelNormalization& normalization);

}  // namespace bn::cuda
