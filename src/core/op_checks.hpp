// Checks that the ops of every backend share.
#pragma once

#include "bn/backend.hpp"

namespace bn {

// Throws UnsupportedError unless all data inputs and the output have one activation type, f32 or bf16.
void require_activations(const OpDesc& desc);
// Throws UnsupportedError if a row of an input or of the output is wider than its channels.
void refuse_row_strides(const OpDesc& desc);

// Throws UnsupportedError for an op that has absorbed another and is to have a backward pass: folding is for
// evaluation.
void require_no_backward(const std::optional<Folded>& folded, const OpDesc& desc);

// Throws for what a library's batch norm does not compute: an activation, rows of a slice, statistics of several parts,
// or of one value.
void require_library_batch_norm(const char* library, const BatchNorm& spec, const OpDesc& desc);

// Throws UnsupportedError for windows that are too large, or that overlap too often, for output shape y.
void require_pool_window(const Pool2d& spec, const Shape& y);

// Throws ConfigError for a rate outside [0, 1).
void require_dropout_rate(const Dropout& spec);
// Throws UnsupportedError for a window of other than 1 to kMaxNormalizedWindow channels.
void require_normalized_window(const LocalResponseNorm& spec);
// Throws UnsupportedError unless logits and losses are f32 and labels i32.
void require_loss_types(const OpDesc& desc);

constexpr int kMaxSumTerms = 16;
// Throws UnsupportedError for other than 1 to kMaxSumTerms terms of a sum.
void require_sum_terms(size_t terms);

constexpr int64_t kMaxImageChannels = 16;
// Throws where the images, the input and the normalisation do not fit together.
void require_normalization(const Tensor& x, const Tensor& images_u8, const ImageNormalization& normalization);

}  // namespace bn
