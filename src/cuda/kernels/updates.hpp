// The kernel that updates the slabs of parameters; its contract is at SgdUpdate.
#pragma once

#include <cstdint>
#include <span>

#include "cuda/context.hpp"

namespace bn::cuda {

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
