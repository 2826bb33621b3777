// Backend's updates of whole tensors and slabs; their contracts are at Backend and SgdUpdate.
#pragma once

#include <vector>

#include "cuda/context.hpp"

namespace bn::cuda {

// `images_u8` lies in device memory.
void load_images(const Context& context, const Tensor& x, const Tensor& images_u8,
                 const ImageNormalization& normalization);
void sum(const Context& context, const Tensor& dst, const std::vector<Tensor>& srcs);
void sgd_step(const Context& context, const SgdUpdate& update);
void blend(const Context& context, const Tensor& running, const Tensor& batch, const Tensor& factor,
           const float* weight);

}  // namespace bn::cuda
