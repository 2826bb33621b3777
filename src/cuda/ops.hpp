// What CudaBackend::make_op calls, one function per kind of op. Each prepares everything for the shapes and types of
// `desc` and throws UnsupportedError when it has no proper implementation for them.
#pragma once

#include <memory>

#include "bn/backend.hpp"
#include "cuda/context.hpp"

namespace bn::cuda {

// Through cuDNN and cuBLASLt.
std::unique_ptr<Op> make_conv2d(const Context& context, const Conv2d& spec, const OpDesc& desc);
std::unique_ptr<Op> make_separable_conv2d(const Context& context, const SeparableConv2d& spec, const OpDesc& desc);
std::unique_ptr<Op> make_linear(const Context& context, const Linear& spec, const OpDesc& desc);
std::unique_ptr<Op> make_batch_norm_cudnn(const Context& context, const BatchNorm& spec, const OpDesc& desc);

// Our own kernels.
std::unique_ptr<Op> make_batch_norm_custom(const Context& context, const BatchNorm& spec, const OpDesc& desc);
std::unique_ptr<Op> make_bias_activation(const Context& context, const BiasActivation& spec, const OpDesc& desc);
std::unique_ptr<Op> make_activate(const Context& context, const Activate& spec, const OpDesc& desc);
std::unique_ptr<Op> make_pool2d(const Context& context, const Pool2d& spec, const OpDesc& desc);
std::unique_ptr<Op> make_local_response_norm(const Context& context, const LocalResponseNorm& spec, const OpDesc& desc);
std::unique_ptr<Op> make_dropout(const Context& context, const Dropout& spec, const OpDesc& desc);
std::unique_ptr<Op> make_concat(const Context& context, const Concat& spec, const OpDesc& desc);
std::unique_ptr<Op> make_softmax_loss(const Context& context, const SoftmaxLoss& spec, const OpDesc& desc);

// The handles of the libraries above, bound to the context's compute stream.
void open_libraries(Context& context);
void close_libraries(Context& context);

}  // namespace bn::cuda
