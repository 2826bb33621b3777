#include "cuda/make_op.hpp"

#include <fmt/format.h>

#include "bn/error.hpp"
#include "cuda/library_ops.hpp"
#include "ops/own_ops.hpp"

namespace bn::cuda {
namespace {

std::unique_ptr<Op> make_batch_norm(const Context& context, const CudaKernels& own, const BatchNorm& spec,
                                    const OpDesc& desc) {
  switch (spec.implementation) {
    case BatchNormImplementation::kCustom:
      return ops::make_op(own, spec, desc);
    case BatchNormImplementation::kCudnn:
      return make_batch_norm_cudnn(context, spec, desc);
    case BatchNormImplementation::kOnednn:
      break;
  }
  throw UnsupportedError("batch_norm.implementation onednn needs the CPU; on a CUDA device it can be custom or cudnn.");
}

}  // namespace

void require_storage(DType activations) {
  if (activations == DType::kF32 || activations == DType::kBf16) return;
  throw UnsupportedError(fmt::format("Activations cannot be stored as {}.", name_of(activations)));
}

std::unique_ptr<Op> make_op(const Context& context, const CudaKernels& own, const OpSpec& spec, const OpDesc& desc) {
  return std::visit(Overloaded{
                        [&](const Conv2d& s) { return make_conv2d(context, s, desc); },
                        [&](const SeparableConv2d& s) { return make_separable_conv2d(context, s, desc); },
                        [&](const Linear& s) { return make_linear(context, s, desc); },
                        [&](const BatchNorm& s) { return make_batch_norm(context, own, s, desc); },
                        [&](const auto& s) { return ops::make_op(own, s, desc); },
                    },
                    spec);
}

}  // namespace bn::cuda
