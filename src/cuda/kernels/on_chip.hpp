// Batch normalisation in one kernel each way, for columns that fit into a multiprocessor's shared memory: x (and dy)
// are read from memory once.
#pragma once

#include "cuda/kernels/columns.hpp"

namespace bn::cuda {

// `kept`: how many matrices stay on chip (forward x; backward x and dy).
bool fits_on_chip(const Context& context, int64_t m, int kept);
// Raises the limits of dynamic shared memory; once a context.
void prepare_on_chip(const Context& context);

// y = activation((x - mean) * scale + shift) by the batch's own statistics, which it leaves in `batch`.
void on_chip_forward(const Context& context, const Matrix& y, const Matrix& x, const BatchColumns& batch,
                     const AffineColumns& affine, Activation activation);
// dgamma, dbeta and dx; dx.data may be null.
void on_chip_backward(const Context& context, const Matrix& dx, const Matrix& dy, const Matrix& x,
                      const BatchColumns& batch, const GradientColumns& gradient, float eps, Activation activation);

}  // namespace bn::cuda
