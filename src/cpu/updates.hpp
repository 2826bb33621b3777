// Backend's updates of whole tensors and slabs; their contracts are at Backend and SgdUpdate.
#pragma once

#include <vector>

#include "bn/backend.hpp"

namespace bn::cpu {

void load_images(const Tensor& x, const Tensor& images_u8, const ImageNormalization& normalization);
void sum(const Tensor& dst, const std::vector<Tensor>& srcs);
void sgd_step(const SgdUpdate& update);
void blend(const Tensor& running, const Tensor& batch, const Tensor& factor, const float* weight);

}  // namespace bn::cpu
