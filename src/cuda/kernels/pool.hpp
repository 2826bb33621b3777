// Pooling kernels; the op's definition is at Pool2d.
#pragma once

#include <cstdint>

#include "bn/ops.hpp"
#include "cuda/context.hpp"
#include "cuda/kernels/columns.hpp"

namespace bn::cuda {

// ops::PoolGeometry in numbers that a GPU computes with quickly.
struct PoolGeometry {
  int n, h, w, oh, ow, c;
  int kernel, stride, pad;
  PoolBorder border;
};

// argmax: the winner's place in its window, row by row, a byte for each element of y, dense; may be null. terms: added
// to dx in their order, as f32, before it is rounded; dx may be one of them.
void max_pool(const Context& context, const Tensor& y, uint8_t* argmax, const Tensor& x, const PoolGeometry& geometry);
void max_pool_gradient(const Context& context, const Tensor& dx, const Tensor& dy, const uint8_t* argmax,
                       const SumSources& terms, const PoolGeometry& geometry);
void average_pool(const Context& context, const Tensor& y, const Tensor& x, const PoolGeometry& geometry);
void average_pool_gradient(const Context& context, const Tensor& dx, const Tensor& dy, const SumSources& terms,
                           const PoolGeometry& geometry);

}  // namespace bn::cuda
