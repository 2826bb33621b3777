// Mean and variance of columns (paper: Algorithm 1, steps 1-2). Two kernels: every block reduces its range of rows,
// then one thread group per column merges the blocks in double precision.
//
// Bytes per element: one read of x. A thread keeps a running mean and M2 (Chan, Golub, LeVeque 1983) of x - x[0], four
// rows a time: nothing is lost where the mean is large against the deviation, nor where the first row is an outlier.
#include "cuda/kernels/cover.hpp"

namespace bn::cuda {
namespace {

constexpr int kBlocksPerMultiprocessor = 4;
constexpr int kFinishColumns = 32, kFinishGroups = 8;

struct Moments {
  float mean = 0, m2 = 0;
};

// `share` = count of b / count of both, `cross` = count of a * share.
__device__ __forceinline__ void merge(Moments& a, float mean, float m2, float share, float cross) {
  const float delta = mean - a.mean;
  a.mean += delta * share;
  a.m2 += m2 + delta * delta * cross;
}

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

// partial: [blocks of rows, {mean, M2}, c], of x - x[0].
template <class T, int N>
__global__ void __launch_bounds__(kThreads)
    block_moments(float* __restrict__ partial, const T* __restrict__ x, int m, int64_t c, int64_t stride, int tile) {
  const Place place(tile, N, m, static_cast<int>(blockIdx.y));
  Moments moments[N];
  float count = 0;
  if (place.column < c) {
    float origin[N];
    load<T, N>(origin, x + place.column);
    int row = place.row;
    for (; row + 3 * place.step < place.end; row += 4 * place.step) {
      Packet<T, N> packets[4];
#pragma unroll
      for (int r = 0; r < 4; ++r) {
        packets[r] = load_packet<T, N>(x + (row + r * place.step) * stride + place.column);
      }
      float v[4][N];
#pragma unroll
      for (int r = 0; r < 4; ++r) to_floats(v[r], packets[r]);
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
    for (; row < place.end; row += place.step) {
      float v[N];
      load<T, N>(v, x + row * stride + place.column);
      const float share = 1.0F / (count + 1.0F), cross = count * share;
      count += 1.0F;
#pragma unroll
      for (int k = 0; k < N; ++k) merge(moments[k], v[k] - origin[k], 0.0F, share, cross);
    }
  }
  merge_lines(moments, count, place);
  if (place.line > 0 || place.column >= c) return;
  float* mean = partial + static_cast<int64_t>(blockIdx.y) * 2 * c + place.column;
#pragma unroll
  for (int k = 0; k < N; ++k) {
    mean[k] = moments[k].mean;
    mean[c + k] = moments[k].m2;
  }
}

// Eight threads share a column's blocks; the first adds their eight sums in order.
template <class T>
__global__ void __launch_bounds__(kFinishColumns* kFinishGroups)
    finish_moments(BatchColumns batch, const float* __restrict__ partial, const T* __restrict__ x, AffineColumns affine,
                   int m, int64_t c, int blocks) {
  BN_SHARED(double, sums, [2][kFinishGroups][kFinishColumns]);
  const int lane = static_cast<int>(threadIdx.x) % kFinishColumns,
            group = static_cast<int>(threadIdx.x) / kFinishColumns;
  const int64_t column = static_cast<int64_t>(blockIdx.x) * kFinishColumns + lane;
  const int share = (m + blocks - 1) / blocks;
  double sum = 0, squares = 0;
  if (column < c) {
    for (int block = group; block < blocks; block += kFinishGroups) {
      const int left = m - block * share;
      const double rows = left < share ? (left > 0 ? left : 0) : share;
      const double mean = partial[2 * block * c + column];
      sum += rows * mean;
      squares += partial[(2 * block + 1) * c + column] + rows * mean * mean;
    }
  }
  sums[0][group][lane] = sum;
  sums[1][group][lane] = squares;
  __syncthreads();
  if (group > 0 || column >= c) return;
  for (int other = 1; other < kFinishGroups; ++other) {
    sum += sums[0][other][lane];
    squares += sums[1][other][lane];
  }
  float origin[1];
  load<T, 1>(origin, x + column);
  const double deviation = sum / m, m2 = squares - sum * deviation;
  const double mean = static_cast<double>(origin[0]) + deviation;
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

__global__ void __launch_bounds__(kThreads)
    population_scale_kernel(float* __restrict__ scale, const float* __restrict__ var, AffineColumns affine, int64_t c) {
  const int64_t column = static_cast<int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  if (column >= c) return;
  scale[column] = static_cast<float>(static_cast<double>(affine.gamma[column]) /
                                     sqrt(static_cast<double>(var[column]) + static_cast<double>(affine.eps)));
}

}  // namespace

// Whatever the tile, the blocks of rows times the columns of one block are at most 256 times the blocks wanted.
int64_t partial_bytes(const Context& context, int64_t c) {
  constexpr int64_t kColumnsOfBlock = 256, kSums = 2;
  const int64_t blocks = int64_t{context.multiprocessors} * kBlocksPerMultiprocessor;
  return static_cast<int64_t>(sizeof(float)) * kSums * (blocks * kColumnsOfBlock + c);
}

void column_reduce(const Context& context, const BatchColumns& batch, float* partial, const Matrix& x,
                   const AffineColumns& affine) {
  const Matrix* matrices[] = {&x};
  const Cover cover = bn::cuda::cover(context, matrices, 1, kBlocksPerMultiprocessor);
  const Grid finish{.x = static_cast<unsigned>((x.c + kFinishColumns - 1) / kFinishColumns),
                    .threads = kFinishColumns * kFinishGroups};
  dispatch(x.dtype, cover.lanes, [&]<class T, int N>() {
    const T* data = static_cast<const T*>(x.data);
    launch(context, "block_moments", block_moments<T, N>, grid_of(cover), partial, data, x.m, x.c, x.stride,
           cover.tile);
    launch(context, "finish_moments", finish_moments<T>, finish, batch, partial, data, affine, x.m, x.c, cover.rows);
  });
}

void population_scale(const Context& context, float* scale, const float* var, const AffineColumns& affine, int64_t c) {
  launch(context, "population_scale", population_scale_kernel,
         {.x = static_cast<unsigned>((c + kThreads - 1) / kThreads), .threads = kThreads}, scale, var, affine, c);
}

}  // namespace bn::cuda
