// Backend's updates of whole tensors and slabs; their contracts are at Backend, SgdUpdate and ParameterUpdate.
#pragma once

#include <vector>

#include "cuda/context.hpp"
#include "cuda/weight_copies.hpp"

namespace bn::cuda {

// `images_u8` lies in device memory.
void load_images(const Context& context, const Tensor& x, const Tensor& images_u8,
                 const ImageNormalization& normalization);
void sum(const Context& context, const Tensor& dst, const std::vector<Tensor>& srcs);
// Backend::update(), given what unpack() and pack() of its calls would copy.
void update(const Context& context, std::span<const SgdUpdate> updates, GatheredWork unpacks, GatheredWork packs);
void blend(const Context& context, const Tensor& running, const Tensor& batch, const Tensor& factor,
           const float* weight);

}  // namespace bn::cuda
