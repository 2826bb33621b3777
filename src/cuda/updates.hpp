// Backend's updates of whole tensors and slabs, and the kernel for the slabs of parameters; their contracts are at
// Backend, SgdUpdate and ParameterUpdate.
#pragma once

#include <cstdint>
#include <span>
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

// --- kernels/updates.cu
// cudaSuccess, or why this device runs none of our kernels: they were compiled for others.
cudaError_t find_kernels();

// A part of the slabs. `rounded`, where there is one, gets the values in bf16. There and in a gradient of bf16, rows of
// `width` elements lie packed_width apart; what lies between is left as it is.
struct SgdRange {
  float* value = nullptr;
  float* velocity = nullptr;
  const void* gradient = nullptr;
  DType gradient_type = DType::kF32;
  void* rounded = nullptr;
  int64_t count = 0;
  int64_t width = 1, packed_width = 1;
  float l2 = 0;
};

// SgdUpdate's, for all ranges.
struct SgdRule {
  float momentum = 0;
  MomentumKind kind = MomentumKind::kClassical;
  StepState* step = nullptr;
  bool operator==(const SgdRule&) const = default;
};

// There is a launch for each 63 ranges.
void sgd_ranges(const Context& context, std::span<const SgdRange> ranges, const SgdRule& rule);

}  // namespace bn::cuda
