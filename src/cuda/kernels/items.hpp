// Kernels of one thread per item: an element, a pixel, or a group of them.
#pragma once

#include "cuda/kernels/device.hpp"
#include "cuda/launch.hpp"

namespace bn::cuda {

constexpr int kThreads = 256;

inline Grid grid_of(int64_t items) {
  return {.x = static_cast<unsigned>((items + kThreads - 1) / kThreads), .threads = kThreads};
}

__device__ __forceinline__ int64_t item_index() { return static_cast<int64_t>(blockIdx.x) * kThreads + threadIdx.x; }

}  // namespace bn::cuda
