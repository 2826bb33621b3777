// Operations on the columns of an [m, c] matrix whose rows lie `stride` elements apart: batch normalisation (paper:
// Algorithm 1 and the gradients of sec. 3), bias and activation. Column arrays are f32.
//
// In every kernel here one thread owns 16 bytes of neighbouring columns (or one column, where rows are not made of
// whole 16 bytes) and walks down rows, several loads in flight. Every sum is taken in an order that the shape alone
// decides: rows within a thread, threads by a fixed tree, blocks by the last of them.
#pragma once

#include <cstdint>
#include <vector>

#include "core/op_checks.hpp"
#include "cuda/context.hpp"
#include "cuda/kernels/lanes.hpp"
#include "ops/own_kernels.hpp"

namespace bn::cuda {

using ops::AffineColumns;
using ops::BatchColumns;
using ops::GradientColumns;
using ops::Matrix;
using ops::matrix_of;
using ops::NormalizeColumns;
using ops::PartedMatrix;

// How a kernel's threads cover a matrix: blocks of `tile` accesses of columns by a range of rows.
struct Cover {
  Lanes lanes = Lanes::kOne;
  int tile = 32;                   // threads side by side in a block
  unsigned columns = 1, rows = 1;  // blocks
};

// How many counters Context::tickets holds.
int64_t sum_tickets(const Context& context);
// Bytes of scratch that the reductions below need for c columns.
int64_t partial_bytes(const Context& context, int64_t c);

// Count, mean and M2 of the columns of x, then BatchColumns from them, or, where `sent` is not null, what this part
// sends of them (ops::PartColumns). Reads x once.
void column_reduce(const Context& context, const BatchColumns& batch, float* partial, double* sent,
                   const PartedMatrix& x, const AffineColumns& affine);
// BatchColumns from what all parts have sent.
void merge_statistics(const Context& context, const BatchColumns& batch, const double* all, int64_t parts,
                      const AffineColumns& affine, int64_t c);
// Reads x, writes y. Rows are taken last to first: the end of x may still be in the cache. Without mean and scale they
// are 0 and 1, and without a shift it is 0.
void column_normalize(const Context& context, const PartedMatrix& y, const PartedMatrix& x, const NormalizeColumns& by,
                      Activation activation);
// scale = gamma / sqrt(var + eps), for evaluation; the shift is beta.
void population_scale(const Context& context, float* scale, const float* var, const AffineColumns& affine, int64_t c);

// Let dz = dy * activation'(z), z recomputed from x. Computes dbeta = sum dz, dgamma = sum dz * xhat, and all that the
// input's gradient needs but dz_factor, which is batch.scale. Where `sent` is not null, it receives what this part
// sends of the two sums. Reads x and dy once.
void column_gradient_sums(const Context& context, const GradientColumns& gradient, float* partial, double* sent,
                          const PartedMatrix& dy, const PartedMatrix& x, const BatchColumns& batch, float eps,
                          Activation activation);
// Makes what the input's gradient needs of what all parts have sent; dgamma and dbeta stay this part's.
void merge_gradient_sums(const Context& context, const GradientColumns& gradient, const double* all, int64_t parts,
                         const BatchColumns& batch, float eps, int64_t c);
// Reads x and dy, writes dx; rows last to first.
void column_input_gradient(const Context& context, const PartedMatrix& dx, const PartedMatrix& dy,
                           const PartedMatrix& x, const BatchColumns& batch, const GradientColumns& gradient,
                           Activation activation);

// dx = dz = dy * activation'(y) and dbias = sum dz; dx.data or dbias may be null; y is unread for kNone.
void activation_gradient(const Context& context, const Matrix& dx, float* dbias, float* partial, const Matrix& dy,
                         const Matrix& y, Activation activation);

struct SumSources {
  const void* data[kMaxSumTerms];
  int64_t stride[kMaxSumTerms];  // between rows
  int count;
};
SumSources sources_of(const std::vector<Tensor>& tensors);
// dst = sum of the sources; dst may be a source.
void column_sum(const Context& context, const Matrix& dst, const SumSources& sources);

}  // namespace bn::cuda
