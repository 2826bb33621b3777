// Batch normalisation, or a bias, folded into the op before it: scales for its weights, and a bias and an activation
// for its output.
#pragma once

#include <optional>

#include "bn/backend.hpp"
#include "core/regions.hpp"
#include "cuda/context.hpp"

namespace bn::cuda {

class Folding {
 public:
  // Takes its part of `packed`. Throws UnsupportedError if there is to be a backward pass: folding is for evaluation.
  Folding(const Context& context, const std::optional<Folded>& folded, const OpDesc& desc, Regions& packed);

  // Called by pack(): fills scale and bias. io.w holds gamma and beta (or the bias) from index `first` on.
  void prepare(const OpIo& io, size_t first) const;
  const float* scale(void* packed) const;  // [outputs]; null where the weights stay as they are
  // Called by forward(): y = activation(y + bias), in place.
  void finish(const OpIo& io) const;

 private:
  const Context& context_;
  std::optional<Folded> folded_;
  int64_t outputs_;
  int64_t scale_offset_ = 0, bias_offset_ = 0;
};

}  // namespace bn::cuda
