// Gradients of batch normalisation (paper: sec. 3, with its sums collected) and of bias and activation. The output of a
// fused activation is not read: z is recomputed from x, which backward reads anyway.
//
// Bytes per element: the sums read x and dy; the input's gradient reads x and dy and writes dx. Sums are f32 within a
// thread (four rows added first) and a block (a fixed tree), double across blocks.
#include "cuda/kernels/gradient_sums.hpp"

namespace bn::cuda {
namespace {

constexpr int kMapBlocksPerMultiprocessor = 8;

// partial: [blocks of rows, {sum dz, sum dz * (x - mean)}, c].
template <class T, int N, Activation A>
__global__ void __launch_bounds__(kThreads)
    block_gradient_sums(float* __restrict__ partial, const T* __restrict__ dy, const T* __restrict__ x,
                        BatchColumns batch, int m, int64_t c, int64_t dy_stride, int64_t x_stride, int tile) {
  const Place place(tile, N, m, static_cast<int>(blockIdx.y));
  float sum[N] = {}, product[N] = {};
  if (place.column < c) {
    ColumnValues<N> values;
    load_values<T, N, A>(values, batch, place.column);
    int row = place.row;
    for (; row + 3 * place.step < place.end; row += 4 * place.step) {
      Packet<T, N> dy_packets[4], x_packets[4];
#pragma unroll
      for (int r = 0; r < 4; ++r) {
        dy_packets[r] = load_packet<T, N>(dy + (row + r * place.step) * dy_stride + place.column);
        x_packets[r] = load_packet<T, N>(x + (row + r * place.step) * x_stride + place.column);
      }
      float rows_sum[N] = {}, rows_product[N] = {};
#pragma unroll
      for (int r = 0; r < 4; ++r) {
        float dz[N], d[N];
        to_floats(dz, dy_packets[r]);
        to_floats(d, x_packets[r]);
        to_dz<N, A>(dz, d, values);
#pragma unroll
        for (int k = 0; k < N; ++k) {
          rows_sum[k] += dz[k];
          rows_product[k] = fmaf(dz[k], d[k], rows_product[k]);
        }
      }
#pragma unroll
      for (int k = 0; k < N; ++k) sum[k] += rows_sum[k], product[k] += rows_product[k];
    }
    for (; row < place.end; row += place.step) {
      float dz[N], d[N];
      load<T, N>(dz, dy + row * dy_stride + place.column);
      load<T, N>(d, x + row * x_stride + place.column);
      to_dz<N, A>(dz, d, values);
#pragma unroll
      for (int k = 0; k < N; ++k) sum[k] += dz[k], product[k] = fmaf(dz[k], d[k], product[k]);
    }
  }
  add_lines(sum, place);
  add_lines(product, place);
  if (place.line > 0 || place.column >= c) return;
  float* to = partial + static_cast<int64_t>(blockIdx.y) * 2 * c + place.column;
#pragma unroll
  for (int k = 0; k < N; ++k) to[k] = sum[k], to[c + k] = product[k];
}

// Sum over blocks of partial[block, which, column], in double, eight threads a column; valid in the first of them.
__device__ __forceinline__ double sum_blocks(const float* partial, int which, int kinds, int64_t column, int64_t c,
                                             int blocks) {
  BN_SHARED(double, sums, [kFinishGroups][kFinishColumns]);
  const int lane = static_cast<int>(threadIdx.x) % kFinishColumns,
            group = static_cast<int>(threadIdx.x) / kFinishColumns;
  double sum = 0;
  if (column < c) {
    for (int block = group; block < blocks; block += kFinishGroups)
      sum += partial[(kinds * block + which) * c + column];
  }
  __syncthreads();  // an earlier call may still be reading
  sums[group][lane] = sum;
  __syncthreads();
  if (group > 0) return 0;
  for (int other = 1; other < kFinishGroups; ++other) sum += sums[other][lane];
  return sum;
}

__global__ void __launch_bounds__(kFinishColumns* kFinishGroups)
    finish_gradient(GradientColumns gradient, const float* __restrict__ partial, BatchColumns batch, float eps,
                    double share, int64_t c, int blocks) {
  const int64_t column = static_cast<int64_t>(blockIdx.x) * kFinishColumns + threadIdx.x % kFinishColumns;
  const double sum = sum_blocks(partial, 0, 2, column, c, blocks);
  const double product = sum_blocks(partial, 1, 2, column, c, blocks);
  if (threadIdx.x >= kFinishColumns || column >= c) return;
  finish_gradient_column(gradient, batch, column, sum, product, eps, share);
}

template <class T, int N, Activation A>
__global__ void __launch_bounds__(kThreads)
    input_gradient(T* __restrict__ dx, const T* __restrict__ dy, const T* __restrict__ x, BatchColumns batch,
                   GradientColumns gradient, int m, int64_t c, int64_t dx_stride, int64_t dy_stride, int64_t x_stride,
                   int tile) {
  const Place place(tile, N, m, static_cast<int>(gridDim.y - 1 - blockIdx.y));
  if (place.column >= c) return;
  ColumnValues<N> values;
  load_values<T, N, A>(values, batch, place.column);
  float factor[N], x_factor[N], constant[N];
  load_columns<N>(factor, batch.scale + place.column);
  load_columns<N>(x_factor, gradient.x_factor + place.column);
  load_columns<N>(constant, gradient.constant + place.column);
  for (int row = place.row; row < place.end; row += 2 * place.step) {
    const bool two = row + place.step < place.end;
    Packet<T, N> dy_packets[2], x_packets[2];
#pragma unroll
    for (int r = 0; r < 2; ++r) {
      if (r == 1 && !two) break;
      dy_packets[r] = load_packet<T, N>(dy + (row + r * place.step) * dy_stride + place.column);
      x_packets[r] = load_packet<T, N>(x + (row + r * place.step) * x_stride + place.column);
    }
#pragma unroll
    for (int r = 0; r < 2; ++r) {
      if (r == 1 && !two) break;
      float dz[N], d[N];
      to_floats(dz, dy_packets[r]);
      to_floats(d, x_packets[r]);
      to_dz<N, A>(dz, d, values);
#pragma unroll
      for (int k = 0; k < N; ++k) dz[k] = fmaf(dz[k], factor[k], fmaf(d[k], x_factor[k], constant[k]));
      store(dx + (row + r * place.step) * dx_stride + place.column, dz);
    }
  }
}

// dx and the block's sums of dz; either may be unwanted (null).
template <class T, int N, Activation A>
__global__ void __launch_bounds__(kThreads)
    block_activation_gradient(T* dx, float* __restrict__ partial, const T* dy, const T* y, int m, int64_t c,
                              int64_t dx_stride, int64_t dy_stride, int64_t y_stride, int tile) {
  const Place place(tile, N, m, static_cast<int>(blockIdx.y));
  float sum[N] = {};
  if (place.column < c) {
#pragma unroll 4
    for (int row = place.row; row < place.end; row += place.step) {
      float dz[N], out[N] = {};
      load<T, N>(dz, dy + row * dy_stride + place.column);
      if constexpr (A != Activation::kNone) load<T, N>(out, y + row * y_stride + place.column);
#pragma unroll
      for (int k = 0; k < N; ++k) {
        dz[k] = gradient_at_output<A>(dz[k], out[k]);
        sum[k] += dz[k];
      }
      if (dx != nullptr) store(dx + row * dx_stride + place.column, dz);
    }
  }
  if (partial == nullptr) return;
  add_lines(sum, place);
  if (place.line > 0 || place.column >= c) return;
#pragma unroll
  for (int k = 0; k < N; ++k) partial[static_cast<int64_t>(blockIdx.y) * c + place.column + k] = sum[k];
}

__global__ void __launch_bounds__(kFinishColumns* kFinishGroups)
    finish_sum(float* __restrict__ sums, const float* __restrict__ partial, int64_t c, int blocks) {
  const int64_t column = static_cast<int64_t>(blockIdx.x) * kFinishColumns + threadIdx.x % kFinishColumns;
  const double sum = sum_blocks(partial, 0, 1, column, c, blocks);
  if (threadIdx.x < kFinishColumns && column < c) sums[column] = static_cast<float>(sum);
}

}  // namespace

void column_gradient_sums(const Context& context, const GradientColumns& gradient, float* partial, const Matrix& dy,
                          const Matrix& x, const BatchColumns& batch, float eps, Activation activation) {
  const Matrix* matrices[] = {&x, &dy};
  const Cover cover = bn::cuda::cover(context, matrices, 2, kSumBlocksPerMultiprocessor);
  dispatch(x.dtype, cover.lanes, activation, [&]<class T, int N, Activation A>() {
    launch(context, "block_gradient_sums", block_gradient_sums<T, N, A>, grid_of(cover), partial,
           static_cast<const T*>(dy.data), static_cast<const T*>(x.data), batch, x.m, x.c, dy.stride, x.stride,
           cover.tile);
  });
  launch(context, "finish_gradient", finish_gradient, finish_grid(x.c), gradient, partial, batch, eps,
         1.0 / static_cast<double>(x.m), x.c, cover.rows);
}

void column_input_gradient(const Context& context, const Matrix& dx, const Matrix& dy, const Matrix& x,
                           const BatchColumns& batch, const GradientColumns& gradient, Activation activation) {
  const Matrix* matrices[] = {&x, &dy, &dx};
  const Cover cover = bn::cuda::cover(context, matrices, 3, kMapBlocksPerMultiprocessor);
  dispatch(x.dtype, cover.lanes, activation, [&]<class T, int N, Activation A>() {
    launch(context, "input_gradient", input_gradient<T, N, A>, grid_of(cover), static_cast<T*>(dx.data),
           static_cast<const T*>(dy.data), static_cast<const T*>(x.data), batch, gradient, x.m, x.c, dx.stride,
           dy.stride, x.stride, cover.tile);
  });
}

void activation_gradient(const Context& context, const Matrix& dx, float* dbias, float* partial, const Matrix& dy,
                         const Matrix& y, Activation activation) {
  const Matrix* matrices[3] = {&dy};
  int count = 1;
  if (activation != Activation::kNone) matrices[count++] = &y;
  if (dx.data != nullptr) matrices[count++] = &dx;
  const Cover cover = bn::cuda::cover(context, matrices, count, kSumBlocksPerMultiprocessor);
  dispatch(dy.dtype, cover.lanes, activation, [&]<class T, int N, Activation A>() {
    launch(context, "block_activation_gradient", block_activation_gradient<T, N, A>, grid_of(cover),
           static_cast<T*>(dx.data), dbias == nullptr ? nullptr : partial, static_cast<const T*>(dy.data),
           static_cast<const T*>(y.data), dy.m, dy.c, dx.stride, dy.stride, y.stride, cover.tile);
  });
  if (dbias == nullptr) return;
  launch(context, "finish_sum", finish_sum, finish_grid(dy.c), dbias, partial, dy.c, cover.rows);
}

}  // namespace bn::cuda
