// Our own ops, written once over a backend's kernels, which must outlive them. Each function checks that the shapes and
// types of `desc` can be computed, and throws UnsupportedError, ShapeError or ConfigError otherwise.
#pragma once

#include <functional>
#include <memory>

#include "ops/own_kernels.hpp"

namespace bn::ops {

std::unique_ptr<Op> make_op(const OwnKernels& kernels, const BatchNorm& spec, const OpDesc& desc);
std::unique_ptr<Op> make_op(const OwnKernels& kernels, const BiasActivation& spec, const OpDesc& desc);
std::unique_ptr<Op> make_op(const OwnKernels& kernels, const Activate& spec, const OpDesc& desc);
std::unique_ptr<Op> make_op(const OwnKernels& kernels, const Pool2d& spec, const OpDesc& desc);
std::unique_ptr<Op> make_op(const OwnKernels& kernels, const LocalResponseNorm& spec, const OpDesc& desc);
std::unique_ptr<Op> make_op(const OwnKernels& kernels, const Dropout& spec, const OpDesc& desc);
std::unique_ptr<Op> make_op(const OwnKernels& kernels, const Concat& spec, const OpDesc& desc);
std::unique_ptr<Op> make_op(const OwnKernels& kernels, const SoftmaxLoss& spec, const OpDesc& desc);

// The answers of Backend's functions of the same name: our own ops take row strides where rows are pixels, a library's
// do not.
bool supports_row_stride(const OpSpec& spec);
bool supports_fused_activation(const BatchNorm& spec);

// A Recording that calls the work again.
std::unique_ptr<Recording> record_calls(std::function<void()> work);

}  // namespace bn::ops
