// The ops that cuDNN and cuBLASLt compute, one function per kind of op. Each prepares everything for the shapes and
// types of `desc` and throws UnsupportedError when it has no proper implementation for them.
#pragma once

#include <memory>
#include <string>

#include "bn/backend.hpp"
#include "cuda/context.hpp"

namespace bn::cuda {

std::unique_ptr<Op> make_conv2d(const Context& context, const Conv2d& spec, const OpDesc& desc);
std::unique_ptr<Op> make_separable_conv2d(const Context& context, const SeparableConv2d& spec, const OpDesc& desc);
std::unique_ptr<Op> make_linear(const Context& context, const Linear& spec, const OpDesc& desc);
std::unique_ptr<Op> make_batch_norm_cudnn(const Context& context, const BatchNorm& spec, const OpDesc& desc);

// The handles of the libraries above, bound to the context's compute stream.
void open_libraries(Context& context);
void close_libraries(Context& context);
std::string library_versions();  // "cuDNN 9.19.0, cuBLASLt 13.1.0"

}  // namespace bn::cuda
