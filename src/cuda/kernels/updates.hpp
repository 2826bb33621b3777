// Kernels over whole slabs of f32; their contracts are at SgdUpdate and Backend::blend.
#pragma once

#include "cuda/context.hpp"

namespace bn::cuda {

// cudaSuccess, or why this device runs none of the kernels here: they were compiled for others.
cudaError_t find_kernels();

void sgd_slab(const Context& context, const SgdUpdate& update);
void blend_slab(const Context& context, float* running, const float* batch, const float* factor, const float* weight,
                int64_t count);  // factor may be null

}  // namespace bn::cuda
