#include "core/op_checks.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "bn/error.hpp"

namespace bn {

void require_activations(const OpDesc& desc) {
  const DType dtype = desc.y.dtype;
  bool same = dtype == DType::kF32 || dtype == DType::kBf16;
  for (const TensorDesc& x : desc.x) same = same && x.dtype == dtype;
  if (!same) {
    throw UnsupportedError(fmt::format("The output is {} and the first input {}; both must be f32 or both bf16.",
                                       name_of(dtype), name_of(desc.x.at(0).dtype)));
  }
}

void refuse_row_strides(const OpDesc& desc) {
  bool dense = desc.y.row_stride == desc.y.shape.c;
  for (const TensorDesc& x : desc.x) dense = dense && x.row_stride == x.shape.c;
  if (!dense) throw UnsupportedError("This op needs dense tensors, not a slice of wider rows.");
}

void require_no_backward(const std::optional<Folded>& folded, const OpDesc& desc) {
  if (folded && desc.has_backward) {
    throw UnsupportedError("An op with folded batch normalisation has no backward pass: folding is for evaluation.");
  }
}

void require_library_batch_norm(const char* library, const BatchNorm& spec, const OpDesc& desc) {
  if (spec.synchronised_parts > 1 && desc.exchange != nullptr) {
    throw UnsupportedError("batch_norm.synchronised_parts above 1 needs batch_norm.implementation: custom.");
  }
  refuse_row_strides(desc);
  if (spec.activation != Activation::kNone) {
    throw UnsupportedError(
        fmt::format("{}'s batch normalisation takes no activation; batch_norm.implementation custom does.", library));
  }
  const Shape& x = desc.x.at(0).shape;
  const int64_t m = values_per_feature(spec, x);
  if (desc.phase == Phase::kTrain && m < 2) {
    throw ShapeError(
        fmt::format("Batch normalisation needs at least 2 values per channel; {} has m = {}.", to_string(x), m));
  }
}

void require_pool_window(const Pool2d& spec, const Shape& y) {
  if (spec.kind == PoolKind::kMax && spec.kernel * spec.kernel > kMaxWindow) {
    throw UnsupportedError(fmt::format("A max pool's kernel can be at most 16x16 here, not {0}x{0}.", spec.kernel));
  }
  const int64_t overlap = (spec.kernel + spec.stride - 1) / spec.stride;
  if (std::min(overlap, y.h) * std::min(overlap, y.w) > kMaxCoveringWindows) {
    throw UnsupportedError(
        fmt::format("The windows of a {0}x{0} pool with stride {1} overlap too often: at most {2} may "
                    "cover one pixel.",
                    spec.kernel, spec.stride, kMaxCoveringWindows));
  }
}

void require_dropout_rate(const Dropout& spec) {
  if (!(spec.rate >= 0.0F && spec.rate < 1.0F)) {
    throw ConfigError(fmt::format("A dropout rate must be at least 0 and less than 1, not {}.", spec.rate));
  }
}

void require_normalized_window(const LocalResponseNorm& spec) {
  if (spec.size < 1 || spec.size > kMaxNormalizedWindow) {
    throw UnsupportedError(fmt::format("A local response normalisation's window must have 1 to {} channels, not {}.",
                                       kMaxNormalizedWindow, spec.size));
  }
}

void require_sum_terms(size_t terms) {
  if (terms < 1 || terms > kMaxSumTerms) {
    throw UnsupportedError(fmt::format("A sum can have 1 to {} terms, not {}.", kMaxSumTerms, terms));
  }
}

void require_loss_types(const OpDesc& desc) {
  const TensorDesc &logits = desc.x.at(0), &labels = desc.x.at(1);
  if (logits.dtype != DType::kF32 || labels.dtype != DType::kI32 || desc.y.dtype != DType::kF32) {
    throw UnsupportedError(fmt::format("The softmax loss takes f32 logits and i32 labels, not {} and {}.",
                                       name_of(logits.dtype), name_of(labels.dtype)));
  }
}

void require_normalization(const Tensor& x, const Tensor& images_u8, const ImageNormalization& normalization) {
  const int64_t c = x.shape.c;
  if (c > kMaxImageChannels) {
    throw UnsupportedError(fmt::format("Images can have at most {} channels, not {}.", kMaxImageChannels, c));
  }
  if (static_cast<int64_t>(normalization.mean.size()) != c || static_cast<int64_t>(normalization.scale.size()) != c) {
    throw ConfigError(fmt::format("The images have {} channels, but their normalisation has {} means and {} scales.", c,
                                  normalization.mean.size(), normalization.scale.size()));
  }
  if (images_u8.shape != x.shape) {
    throw ShapeError(fmt::format("Images of shape {} cannot be loaded into an input of shape {}.",
                                 to_string(images_u8.shape), to_string(x.shape)));
  }
}

}  // namespace bn
