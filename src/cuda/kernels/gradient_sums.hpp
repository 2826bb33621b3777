// The sums that batch normalisation's gradient needs, within one block.
#pragma once

#include "cuda/kernels/cover.hpp"

namespace bn::cuda {

// Adds the lines of a block; the result is line 0's.
template <int N>
__device__ __forceinline__ void add_lines(float (&values)[N], const Place& place) {
  BN_SHARED(float, shared, [N * kThreads]);
  const int thread = static_cast<int>(threadIdx.x), tile = kThreads / place.step;
  __syncthreads();  // an earlier call may still be reading
#pragma unroll
  for (int k = 0; k < N; ++k) shared[k * kThreads + thread] = values[k];
  for (int half = place.step / 2; half > 0; half /= 2) {
    __syncthreads();
    if (place.line >= half) continue;
    const int other = thread + half * tile;
#pragma unroll
    for (int k = 0; k < N; ++k) {
      values[k] += shared[k * kThreads + other];
      shared[k * kThreads + thread] = values[k];
    }
  }
}

template <int N>
struct ColumnValues {
  float mean[N] = {}, scale[N] = {}, shift[N] = {};
};

template <class T, int N, Activation A>
__device__ __forceinline__ void load_values(ColumnValues<N>& values, const BatchColumns& batch, int64_t column) {
  load_columns<N>(values.mean, batch.mean + column);
  if constexpr (A != Activation::kNone) {
    load_columns<N>(values.scale, batch.scale + column);
    load_columns<N>(values.shift, batch.shift + column);
  }
}

// dz of one access, and x - mean in its place.
template <int N, Activation A>
__device__ __forceinline__ void to_dz(float (&dy)[N], float (&x)[N], const ColumnValues<N>& values) {
#pragma unroll
  for (int k = 0; k < N; ++k) {
    x[k] -= values.mean[k];
    dy[k] = gradient_at_input<A>(dy[k], fmaf(x[k], values.scale[k], values.shift[k]));
  }
}

// sum = sum dz and product = sum dz * (x - mean) over the rows; share = 1 / rows. Let s = sqrt(var + eps) and xhat = (x
// - mean - mean_low) / s; then dx = gamma / s * (dz - dbeta / m - xhat * dgamma / m).
// Returns dgamma.
__device__ __forceinline__ double finish_input_factors(const GradientColumns& gradient, const BatchColumns& batch,
                                                       int64_t column, double sum, double product, float eps,
                                                       double share) {
  const double inverse = 1.0 / sqrt(static_cast<double>(batch.var[column]) + static_cast<double>(eps));
  const double low = batch.mean_low[column], factor = batch.scale[column];
  const double dgamma = inverse * (product - low * sum);
  const double x_factor = -factor * inverse * dgamma * share;
  gradient.x_factor[column] = static_cast<float>(x_factor);
  gradient.constant[column] = static_cast<float>(-factor * sum * share - x_factor * low);
  return dgamma;
}

__device__ __forceinline__ void finish_gradient_column(const GradientColumns& gradient, const BatchColumns& batch,
                                                       int64_t column, double sum, double product, float eps,
                                                       double share) {
  const double dgamma = finish_input_factors(gradient, batch, column, sum, product, eps, share);
  gradient.dgamma[column] = static_cast<float>(dgamma);
  gradient.dbeta[column] = static_cast<float>(sum);
}

}  // namespace bn::cuda
