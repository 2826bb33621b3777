// Mean and variance of columns (paper: Algorithm 1, steps 1-2). Every block reduces its range of rows; the last one
// merges the blocks in double precision.
//
// Bytes per element: one read of x. A thread keeps a running mean and M2 (Chan, Golub, LeVeque 1983) of x - x[0], four
// rows a time: nothing is lost where the mean is large against the deviation, nor where the first row is an outlier.
#include "cuda/kernels/last_block.hpp"
#include "cuda/kernels/moments.hpp"

namespace bn::cuda {
namespace {

// Merges what the blocks of rows have left of a range of columns. Called by all threads of one block.
template <class T, int N>
__device__ __forceinline__ void finish_moments(const BatchColumns& batch, const AffineColumns& affine,
                                               const float* partial, double* sent, const ColumnParts<const T>& x, int m,
                                               int64_t c, int tile) {
  const FinishPlace place(tile, N);
  const int blocks = static_cast<int>(gridDim.y), share = (m + blocks - 1) / blocks;
  double sums[2] = {};  // the sum of x - origin, and that of its squares
  if (place.column < c) {
    for (int block = place.group; block < blocks; block += place.groups) {
      const int left = m - block * share;
      const double rows = left < share ? (left > 0 ? left : 0) : share;
      // Past this multiprocessor's own cache, which does not know what others have written.
      const double mean = __ldcg(partial + 2 * block * c + place.column);
      sums[0] += rows * mean;
      sums[1] += __ldcg(partial + (2 * block + 1) * c + place.column) + rows * mean * mean;
    }
  }
  add_groups(sums, place);
  if (place.group > 0 || place.column >= c) return;
  const double deviation = sums[0] / m, m2 = sums[1] - sums[0] * deviation;
  const float origin = element(Rows<const T>(x, place.column)[0]);
  if (sent == nullptr) return finish_column(batch, affine, place.column, origin, deviation, m2, m);
  if (place.column == 0) sent[0] = m;
  sent[1 + place.column] = static_cast<double>(origin) + deviation;
  sent[1 + c + place.column] = m2 < 0 ? 0 : m2;
}

// partial: [blocks of rows, {mean, M2}, c], of x - x[0]. Where `sent` is not null, it receives the number of rows, the
// means and the M2s, and `batch` waits for merge_statistics_kernel.
template <class T, int N>
__global__ void __launch_bounds__(kThreads)
    moments_kernel(BatchColumns batch, float* partial, double* sent, unsigned* tickets, ColumnParts<const T> x_parts,
                   AffineColumns affine, int m, int64_t c, int tile) {
  const Place place(tile, N, m, static_cast<int>(blockIdx.y));
  Moments moments[N];
  float count = 0;
  if (place.column < c) {
    const Rows<const T> x(x_parts, place.column);
    float origin[N];
    load<T, N>(origin, x[0]);
    int row = place.row;
    for (; row + 3 * place.step < place.end; row += 4 * place.step) {
      Packet<T, N> packets[4];
#pragma unroll
      for (int r = 0; r < 4; ++r) {
        packets[r] = load_packet<T, N>(x[row + r * place.step]);
      }
      float v[4][N];
#pragma unroll
      for (int r = 0; r < 4; ++r) to_floats(v[r], packets[r]);
      add_four(moments, count, v, origin);
    }
    for (; row < place.end; row += place.step) {
      float v[N];
      load<T, N>(v, x[row]);
      add_one(moments, count, v, origin);
    }
  }
  merge_lines(moments, count, place);
  if (place.line == 0 && place.column < c) {
    float* mean = partial + static_cast<int64_t>(blockIdx.y) * 2 * c + place.column;
#pragma unroll
    for (int k = 0; k < N; ++k) {
      mean[k] = moments[k].mean;
      mean[c + k] = moments[k].m2;
    }
  }
  if (is_last_block(tickets)) finish_moments<T, N>(batch, affine, partial, sent, x_parts, m, c, tile);
}

// A thread merges what all parts have sent of a column, in their order (Chan, Golub, LeVeque 1983).
__global__ void __launch_bounds__(kThreads)
    merge_statistics_kernel(BatchColumns batch, const double* all, int parts, AffineColumns affine, int64_t c) {
  const int64_t column = item_index();
  if (column >= c) return;
  double rows = all[0], mean = all[1 + column], m2 = all[1 + c + column];
  for (int k = 1; k < parts; ++k) {
    const double* part = all + k * (2 * c + 1);
    const double total = rows + part[0], delta = part[1 + column] - mean;
    mean += delta * (part[0] / total);
    m2 += part[1 + c + column] + delta * delta * (rows * part[0] / total);
    rows = total;
  }
  finish_column(batch, affine, column, 0.0F, mean, m2, rows);
}

__global__ void __launch_bounds__(kThreads)
    population_scale_kernel(float* __restrict__ scale, const float* __restrict__ var, AffineColumns affine, int64_t c) {
  const int64_t column = item_index();
  if (column >= c) return;
  scale[column] = static_cast<float>(static_cast<double>(affine.gamma[column]) /
                                     sqrt(static_cast<double>(var[column]) + static_cast<double>(affine.eps)));
}

}  // namespace

// With several blocks of rows, these times the columns of one block are at most kMaxSumColumns times the blocks wanted.
int64_t CudaKernels::partial_bytes(int64_t, int64_t c) const {
  constexpr int64_t kSums = 2;
  return static_cast<int64_t>(sizeof(float)) * kSums * (sum_blocks_of(context_) * kMaxSumColumns + c);
}

void CudaKernels::batch_statistics(const BatchColumns& batch, void* partial, const PartedMatrix& x,
                                   const AffineColumns& affine, const PartColumns& parts) const {
  const int64_t c = x.c();
  const Cover cover = cover_of_sums(context_, x, {x});
  dispatch(x.parts[0].dtype, cover.lanes, [&]<class T, int N>() {
    launch(context_, "moments", moments_kernel<T, N>, grid_of(cover), batch, partial, sent_by(parts, c),
           context_.tickets, parts_of<const T>(x), affine, x.m(), c, cover.tile);
  });
  if (parts.exchange == nullptr) return;
  gather(parts, c);
  launch(context_, "merge_statistics", merge_statistics_kernel, grid_of(c), batch, parts.scratch, parts.parts, affine,
         c);
}

void CudaKernels::population_scale(float* scale, const float* var, const AffineColumns& affine, int64_t c) const {
  launch(context_, "population_scale", population_scale_kernel, grid_of(c), scale, var, affine, c);
}

}  // namespace bn::cuda
