#include "cuda/folding.hpp"

#include "core/op_checks.hpp"
#include "cuda/cuda_kernels.hpp"
#include "cuda/kernels/weights.hpp"
#include "cuda/memory.hpp"

namespace bn::cuda {

Folding::Folding(const Context& context, const std::optional<Folded>& folded, const OpDesc& desc, Regions& packed)
    : context_(context), folded_(folded), outputs_(desc.y.shape.c) {
  if (!folded_) return;
  require_no_backward(folded_, desc);
  scale_offset_ = packed.add(outputs_ * size_of(DType::kF32));
  bias_offset_ = packed.add(outputs_ * size_of(DType::kF32));
}

void Folding::prepare(const OpIo& io, size_t first) const {
  if (!folded_) return;
  auto* bias = static_cast<float*>(at(io.packed, bias_offset_));
  if (!folded_->eps) {
    copy_on_device(context_, bias, io.w.at(first).data, outputs_ * size_of(DType::kF32));
    return;
  }
  fold_statistics(context_, static_cast<float*>(at(io.packed, scale_offset_)), bias,
                  {.gamma = io.w.at(first).as<const float>(),
                   .beta = io.w.at(first + 1).as<const float>(),
                   .mean = io.state.at(0).as<const float>(),
                   .var = io.state.at(1).as<const float>(),
                   .eps = *folded_->eps},
                  outputs_);
}

const float* Folding::scale(void* packed) const {
  return folded_ && folded_->eps ? static_cast<const float*>(at(packed, scale_offset_)) : nullptr;
}

void Folding::finish(const OpIo& io) const {
  if (!folded_) return;
  const Matrix y = matrix_of(io.y);
  const auto* bias = static_cast<const float*>(at(io.packed, bias_offset_));
  CudaKernels(context_).bias_activation(y, y, bias, folded_->activation);
}

}  // namespace bn::cuda
