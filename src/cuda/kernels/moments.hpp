// Mean and M2 of columns within one block: a thread's rows, then the block's lines in a fixed tree.
#pragma once

#include "cuda/kernels/cover.hpp"

namespace bn::cuda {

struct Moments {
  float mean = 0, m2 = 0;
};

// `share` = count of b / count of both, `cross` = count of a * share.
__device__ __forceinline__ void merge(Moments& a, float mean, float m2, float share, float cross) {
  const float delta = mean - a.mean;
  a.mean += delta * share;
  a.m2 += m2 + delta * delta * cross;
}

// Adds four rows of x - origin.
template <int N>
__device__ __forceinline__ void add_four(Moments (&moments)[N], float& count, const float (&v)[4][N],
                                         const float (&origin)[N]) {
  const float share = 4.0F / (count + 4.0F), cross = count * share;
  count += 4.0F;
#pragma unroll
  for (int k = 0; k < N; ++k) {
    const float a = v[0][k] - origin[k], b = v[1][k] - origin[k], d = v[2][k] - origin[k], e = v[3][k] - origin[k];
    const float mean = 0.25F * ((a + b) + (d + e));
    const float m2 =
        ((a - mean) * (a - mean) + (b - mean) * (b - mean)) + ((d - mean) * (d - mean) + (e - mean) * (e - mean));
    merge(moments[k], mean, m2, share, cross);
  }
}

// Adds one row.
template <int N>
__device__ __forceinline__ void add_one(Moments (&moments)[N], float& count, const float (&v)[N],
                                        const float (&origin)[N]) {
  const float share = 1.0F / (count + 1.0F), cross = count * share;
  count += 1.0F;
#pragma unroll
  for (int k = 0; k < N; ++k) merge(moments[k], v[k] - origin[k], 0.0F, share, cross);
}

// The result is line 0's.
template <int N>
__device__ __forceinline__ void merge_lines(Moments (&moments)[N], float count, const Place& place) {
  BN_SHARED(float, means, [N * kThreads]);
  BN_SHARED(float, m2s, [N * kThreads]);
  BN_SHARED(float, counts, [kThreads]);
  const int thread = static_cast<int>(threadIdx.x), tile = kThreads / place.step;
#pragma unroll
  for (int k = 0; k < N; ++k) {
    means[k * kThreads + thread] = moments[k].mean;
    m2s[k * kThreads + thread] = moments[k].m2;
  }
  counts[thread] = count;
  for (int half = place.step / 2; half > 0; half /= 2) {
    __syncthreads();
    if (place.line >= half) continue;
    const int other = thread + half * tile;
    const float others = counts[other];
    if (others == 0.0F) continue;
    const float share = others / (count + others), cross = count * share;
    count += others;
    counts[thread] = count;
#pragma unroll
    for (int k = 0; k < N; ++k) {
      merge(moments[k], means[k * kThreads + other], m2s[k * kThreads + other], share, cross);
      means[k * kThreads + thread] = moments[k].mean;
      m2s[k * kThreads + thread] = moments[k].m2;
    }
  }
}

// Turns a column's sums into its statistics: `deviation` = mean - origin, `m2` over m rows.
__device__ __forceinline__ void finish_column(const BatchColumns& batch, const AffineColumns& affine, int64_t column,
                                              float origin, double deviation, double m2, double m) {
  const double mean = static_cast<double>(origin) + deviation;
  const double var = m2 < 0 ? 0 : m2 / m;  // NaN stays
  const float high = static_cast<float>(mean);
  const double low = mean - static_cast<double>(high);
  const double scale = static_cast<double>(affine.gamma[column]) / sqrt(var + static_cast<double>(affine.eps));
  batch.mean[column] = high;
  batch.mean_low[column] = static_cast<float>(low);
  batch.var[column] = static_cast<float>(var);
  batch.scale[column] = static_cast<float>(scale);
  batch.shift[column] = static_cast<float>(static_cast<double>(affine.beta[column]) - low * scale);
}

}  // namespace bn::cuda
