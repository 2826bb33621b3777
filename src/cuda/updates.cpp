#include "cuda/updates.hpp"

#include "core/op_checks.hpp"
#include "cuda/kernels/columns.hpp"
#include "cuda/kernels/elements.hpp"
#include "cuda/kernels/updates.hpp"

namespace bn::cuda {

void load_images(const Context& context, const Tensor& x, const Tensor& images_u8,
                 const ImageNormalization& normalization) {
  require_normalization(x, images_u8, normalization);
  ChannelNormalization by{};
  for (int64_t i = 0; i < x.shape.c; ++i) {
    by.mean[i] = normalization.mean[static_cast<size_t>(i)];
    by.scale[i] = normalization.scale[static_cast<size_t>(i)];
  }
  normalize_images(context, x, images_u8.as<uint8_t>(), by);
}

void sum(const Context& context, const Tensor& dst, const std::vector<Tensor>& srcs) {
  require_sum_terms(srcs.size());
  column_sum(context, matrix_of(dst), sources_of(srcs));
}

void sgd_step(const Context& context, const SgdUpdate& update) { sgd_slab(context, update); }

void blend(const Context& context, const Tensor& running, const Tensor& batch, const Tensor& factor,
           const float* weight) {
  blend_slab(context, running.as<float>(), batch.as<float>(), factor.as<float>(), weight, running.shape.elements());
}

}  // namespace bn::cuda
