// The ops that oneDNN computes, one function per kind of op. Each prepares everything for the shapes and types of
// `desc` and throws UnsupportedError when it has no proper implementation for them.
#pragma once

#include <memory>

#include "bn/backend.hpp"
#include "bn/cpu_options.hpp"
#include "cpu/convolution.hpp"

namespace bn::cpu {

// Conv2d goes through oneDNN, with transforms of our own where they pay.
std::unique_ptr<Op> make_conv2d(const Conv2d& spec, const OpDesc& desc, const CpuOptions& options);
// The op that computes by `convolution`, which was prepared for the same.
std::unique_ptr<Op> make_conv2d(const Conv2d& spec, const OpDesc& desc, std::unique_ptr<Convolution> convolution);
std::unique_ptr<Op> make_separable_conv2d(const SeparableConv2d& spec, const OpDesc& desc);
std::unique_ptr<Op> make_linear(const Linear& spec, const OpDesc& desc);
std::unique_ptr<Op> make_batch_norm_onednn(const BatchNorm& spec, const OpDesc& desc);

}  // namespace bn::cpu
