// Mean and variance of columns (paper: Algorithm 1, steps 1-2). Every block reduces its range of rows; the last one
// merges the blocks in double precision.
//
// Bytes per element: one read of x. A thread keeps a running mean and M2 (Chan, Golub, LeVeque 1983) of x - x[0], four
// rows a time: nothing is lost where the mean is large against the deviation, nor where the first row is an outlier.
#include "cuda/kernels/cover.hpp"
#include "cuda/kernels/last_block.hpp"

namespace bn::cuda {
namespace {

// --- Mean and M2 of columns within one block: a thread's rows, then the block's lines in a fixed tree.

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

// --- The kernels.

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
