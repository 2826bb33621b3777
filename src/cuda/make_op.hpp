// The dispatch from a spec to its implementation on a CUDA device.
#pragma once

#include <memory>

#include "cuda/cuda_kernels.hpp"

namespace bn::cuda {

// Implements Backend::require.
void require_storage(DType activations);

std::unique_ptr<Op> make_op(const Context& context, const CudaKernels& own, const OpSpec& spec, const OpDesc& desc);

}  // namespace bn::cuda
