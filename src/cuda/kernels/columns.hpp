// Operations on the columns of an [m, c] matrix whose rows lie `stride` elements apart: batch normalisation (paper:
// Algorithm 1 and the gradients of sec. 3), bias and activation. Column arrays are f32.
//
// What one thread does, in every kernel here: it owns 16 bytes of neighbouring columns (or one column, where rows are
// not made of whole 16 bytes) and walks down rows, several loads in flight. Every sum is taken in an order that the
// shape alone decides: rows within a thread, threads by a fixed tree, blocks by a second kernel.
#pragma once

#include <cstdint>

#include "bn/ops.hpp"
#include "core/op_checks.hpp"
#include "cuda/context.hpp"
#include "cuda/kernels/lanes.hpp"

namespace bn::cuda {

struct Matrix {
  void* data = nullptr;
  DType dtype = DType::kF32;
  int64_t m = 0, c = 0, stride = 0;
};
Matrix matrix_of(const Tensor& tensor, BatchNormScope scope = BatchNormScope::kSpatial);

// How a kernel's threads cover a matrix: blocks of `tile` accesses of columns by a range of rows.
struct Cover {
  Lanes lanes = Lanes::kOne;
  int tile = 32;                   // threads side by side in a block
  unsigned columns = 1, rows = 1;  // blocks
};

// For x and y: y = activation((x - mean) * scale + shift). mean + mean_low is the mean in twice f32's precision, so
// nothing is lost where the mean is large against the deviation.
struct BatchColumns {
  float* mean;
  float* mean_low;
  float* var;    // biased
  float* scale;  // gamma / sqrt(var + eps)
  float* shift;  // beta - mean_low * scale
};
struct AffineColumns {
  const float* gamma;
  const float* beta;
  float eps;
};
struct NormalizeColumns {
  const float* mean = nullptr;  // null, with scale: 0 and 1
  const float* scale = nullptr;
  const float* shift = nullptr;  // null: 0
};
struct GradientColumns {
  float* dgamma;
  float* dbeta;
  float* x_factor;  // dx = dz * scale + (x - mean) * x_factor + constant
  float* constant;
};

// Bytes of scratch that the reductions below need for c columns.
int64_t partial_bytes(const Context& context, int64_t c);

// Count, mean and M2 of the columns of x, then BatchColumns from them. Reads x once.
void column_reduce(const Context& context, const BatchColumns& batch, float* partial, const Matrix& x,
                   const AffineColumns& affine);
// Reads x, writes y. Rows are taken last to first: the end of x may still be in the cache.
void column_normalize(const Context& context, const Matrix& y, const Matrix& x, const NormalizeColumns& by,
                      Activation activation);
// scale = gamma / sqrt(var + eps), for evaluation; the shift is beta.
void population_scale(const Context& context, float* scale, const float* var, const AffineColumns& affine, int64_t c);

// With dz = dy * activation'(z), z recomputed from x: dbeta = sum dz, dgamma = sum dz * xhat, and what the input's
// gradient needs. Reads x and dy once.
void column_gradient_sums(const Context& context, const GradientColumns& gradient, float* partial, const Matrix& dy,
                          const Matrix& x, const BatchColumns& batch, float eps, Activation activation);
// Reads x and dy, writes dx; rows last to first.
void column_input_gradient(const Context& context, const Matrix& dx, const Matrix& dy, const Matrix& x,
                           const BatchColumns& batch, const GradientColumns& gradient, Activation activation);

// dx = dz = dy * activation'(y) and dbias = sum dz; dx.data or dbias may be null; y is unread for kNone.
void activation_gradient(const Context& context, const Matrix& dx, float* dbias, float* partial, const Matrix& dy,
                         const Matrix& y, Activation activation);

// dst = sum of the sources; dst may be a source.
struct SumSources {
  const void* data[kMaxSumTerms];
  int64_t stride[kMaxSumTerms];
  int count;
};
void column_sum(const Context& context, const Matrix& dst, const SumSources& sources);

}  // namespace bn::cuda
