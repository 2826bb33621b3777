// Our own ops, written once over a backend's kernels, which must outlive them. Each function checks that the shapes and
// types of `desc` can be computed, and throws UnsupportedError, ShapeError or ConfigError otherwise.
#pragma once

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

}  // namespace bn::ops
