// Mean and variance of columns (paper: Algorithm 1, steps 1-2). Two kernels: every block reduces its range of rows,
// then one thread group per column merges the blocks in double precision.
//
// Bytes per element: one read of x. A thread keeps a running mean and M2 (Chan, Golub, LeVeque 1983) of x - x[0], four
// rows a time: nothing is lost where the mean is large against the deviation, nor where the first row is an outlier.
#include "cuda/kernels/moments.hpp"

namespace bn::cuda {
namespace {

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
      add_four(moments, count, v, origin);
    }
    for (; row < place.end; row += place.step) {
      float v[N];
      load<T, N>(v, x + row * stride + place.column);
      add_one(moments, count, v, origin);
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
  const double deviation = sum / m;
  finish_column(batch, affine, column, origin[0], deviation, squares - sum * deviation, m);
}

__global__ void __launch_bounds__(kThreads)
    population_scale_kernel(float* __restrict__ scale, const float* __restrict__ var, AffineColumns affine, int64_t c) {
  const int64_t column = item_index();
  if (column >= c) return;
  scale[column] = static_cast<float>(static_cast<double>(affine.gamma[column]) /
                                     sqrt(static_cast<double>(var[column]) + static_cast<double>(affine.eps)));
}

}  // namespace

// Whatever the tile, the blocks of rows times the columns of one block are at most 256 times the blocks wanted.
int64_t partial_bytes(const Context& context, int64_t c) {
  constexpr int64_t kColumnsOfBlock = 256, kSums = 2;
  const int64_t blocks = int64_t{context.multiprocessors} * kSumBlocksPerMultiprocessor;
  return static_cast<int64_t>(sizeof(float)) * kSums * (blocks * kColumnsOfBlock + c);
}

void column_reduce(const Context& context, const BatchColumns& batch, float* partial, const Matrix& x,
                   const AffineColumns& affine) {
  const Matrix* matrices[] = {&x};
  const Cover cover = bn::cuda::cover(context, matrices, 1, kSumBlocksPerMultiprocessor);
  dispatch(x.dtype, cover.lanes, [&]<class T, int N>() {
    const T* data = static_cast<const T*>(x.data);
    launch(context, "block_moments", block_moments<T, N>, grid_of(cover), partial, data, x.m, x.c, x.stride,
           cover.tile);
    launch(context, "finish_moments", finish_moments<T>, finish_grid(x.c), batch, partial, data, affine, x.m, x.c,
           cover.rows);
  });
}

void population_scale(const Context& context, float* scale, const float* var, const AffineColumns& affine, int64_t c) {
  launch(context, "population_scale", population_scale_kernel, grid_of(c), scale, var, affine, c);
}

}  // namespace bn::cuda
