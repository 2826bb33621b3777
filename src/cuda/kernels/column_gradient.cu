// Gradients of batch normalisation (paper: sec. 3, with its sums collected) and of bias and activation. Those of batch
// normalisation do not read y: z is recomputed from x, which they read anyway. Those of bias and activation read y.
//
// Bytes per element: the sums read x and dy; the input's gradient reads x and dy and writes dx. Sums are f32 within a
// thread (four rows added first) and a block (a fixed tree), double across blocks.
#include "cuda/kernels/cover.hpp"
#include "cuda/kernels/last_block.hpp"

namespace bn::cuda {
namespace {

constexpr int kMapBlocksPerMultiprocessor = 8;

// --- The sums that batch normalisation's gradient needs, within one block.

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

// --- The kernels.

// partial: [blocks of rows, {sum dz, sum dz * (x - mean)}, c]. Where `sent` is not null, it receives the number of rows
// and the sums; what the input's gradient needs waits for merge_gradient_sums_kernel.
template <class T, int N, Activation A>
__global__ void __launch_bounds__(kThreads)
    gradient_sums_kernel(GradientColumns gradient, float* partial, double* sent, unsigned* tickets,
                         ColumnParts<const T> dy_parts, ColumnParts<const T> x_parts, BatchColumns batch, float eps,
                         double share, int m, int64_t c, int tile) {
  const Place place(tile, N, m, static_cast<int>(blockIdx.y));
  float sum[N] = {}, product[N] = {};
  if (place.column < c) {
    const Rows<const T> dy(dy_parts, place.column), x(x_parts, place.column);
    ColumnValues<N> values;
    load_values<T, N, A>(values, batch, place.column);
    int row = place.row;
    for (; row + 3 * place.step < place.end; row += 4 * place.step) {
      Packet<T, N> dy_packets[4], x_packets[4];
#pragma unroll
      for (int r = 0; r < 4; ++r) {
        dy_packets[r] = load_packet<T, N>(dy[row + r * place.step]);
        x_packets[r] = load_packet<T, N>(x[row + r * place.step]);
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
      load<T, N>(dz, dy[row]);
      load<T, N>(d, x[row]);
      to_dz<N, A>(dz, d, values);
#pragma unroll
      for (int k = 0; k < N; ++k) sum[k] += dz[k], product[k] = fmaf(dz[k], d[k], product[k]);
    }
  }
  add_lines(sum, place);
  add_lines(product, place);
  if (place.line == 0 && place.column < c) {
    float* to = partial + static_cast<int64_t>(blockIdx.y) * 2 * c + place.column;
#pragma unroll
    for (int k = 0; k < N; ++k) to[k] = sum[k], to[c + k] = product[k];
  }
  if (!is_last_block(tickets)) return;
  const FinishPlace finish(tile, N);
  double sums[2] = {};
  sum_blocks(sums, partial, c, finish);
  if (finish.group > 0 || finish.column >= c) return;
  finish_gradient_column(gradient, batch, finish.column, sums[0], sums[1], eps, share);
  if (sent == nullptr) return;
  if (finish.column == 0) sent[0] = m;
  sent[1 + finish.column] = sums[0];
  sent[1 + c + finish.column] = sums[1];
}

// A thread adds what all parts have sent of a column, in their order.
__global__ void __launch_bounds__(kThreads)
    merge_gradient_sums_kernel(GradientColumns gradient, const double* all, int parts, BatchColumns batch, float eps,
                               int64_t c) {
  const int64_t column = item_index();
  if (column >= c) return;
  double rows = 0, sum = 0, product = 0;
  for (int k = 0; k < parts; ++k) {
    const double* part = all + k * (2 * c + 1);
    rows += part[0];
    sum += part[1 + column];
    product += part[1 + c + column];
  }
  finish_input_factors(gradient, batch, column, sum, product, eps, 1.0 / rows);
}

template <class T, int N, Activation A>
__global__ void __launch_bounds__(kThreads)
    input_gradient_kernel(ColumnParts<T> dx_parts, ColumnParts<const T> dy_parts, ColumnParts<const T> x_parts,
                          BatchColumns batch, GradientColumns gradient, int m, int64_t c, int tile) {
  const Place place(tile, N, m, static_cast<int>(gridDim.y - 1 - blockIdx.y));
  if (place.column >= c) return;
  const Rows<const T> dy(dy_parts, place.column), x(x_parts, place.column);
  const Rows<T> dx(dx_parts, place.column);
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
      dy_packets[r] = load_packet<T, N>(dy[row + r * place.step]);
      x_packets[r] = load_packet<T, N>(x[row + r * place.step]);
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
      store(dx[row + r * place.step], dz);
    }
  }
}

// dx and the sums of dz; either may be unwanted (null).
template <class T, int N, Activation A>
__global__ void __launch_bounds__(kThreads)
    activation_gradient_kernel(T* dx, float* dbias, float* partial, unsigned* tickets, const T* dy, const T* y, int m,
                               int64_t c, int64_t dx_stride, int64_t dy_stride, int64_t y_stride, int tile) {
  const Place place(tile, N, m, static_cast<int>(blockIdx.y));
  float sum[N] = {};
  if (place.column < c) {
#pragma unroll 2
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
  if (dbias == nullptr) return;
  add_lines(sum, place);
  if (place.line == 0 && place.column < c) {
#pragma unroll
    for (int k = 0; k < N; ++k) partial[static_cast<int64_t>(blockIdx.y) * c + place.column + k] = sum[k];
  }
  if (!is_last_block(tickets)) return;
  const FinishPlace finish(tile, N);
  double total[1] = {};
  sum_blocks(total, partial, c, finish);
  if (finish.group == 0 && finish.column < c) dbias[finish.column] = static_cast<float>(total[0]);
}

}  // namespace

// y is never read: the activation's derivative comes from x.
void CudaKernels::gradient_sums(const GradientColumns& gradient, void* partial, const PartedMatrix& dy,
                                const PartedMatrix& x, const PartedMatrix&, const BatchColumns& batch,
                                const AffineColumns& affine, Activation activation, const PartColumns& parts) const {
  const int64_t c = x.c();
  const Cover cover = cover_of_sums(context_, x, {x, dy});
  dispatch(x.parts[0].dtype, cover.lanes, activation, [&]<class T, int N, Activation A>() {
    launch(context_, "gradient_sums", gradient_sums_kernel<T, N, A>, grid_of(cover), gradient, partial,
           sent_by(parts, c), context_.tickets, parts_of<const T>(dy), parts_of<const T>(x), batch, affine.eps,
           1.0 / static_cast<double>(x.m()), x.m(), c, cover.tile);
  });
  if (parts.exchange == nullptr) return;
  gather(parts, c);
  launch(context_, "merge_gradient_sums", merge_gradient_sums_kernel, grid_of(c), gradient, parts.scratch, parts.parts,
         batch, affine.eps, c);
}

// dz_factor is batch.scale. Rows are taken last to first: the end of x and dy may still be in the cache.
void CudaKernels::input_gradient(const PartedMatrix& dx, const PartedMatrix& dy, const PartedMatrix& x,
                                 const PartedMatrix&, const BatchColumns& batch, const GradientColumns& gradient,
                                 Activation activation) const {
  const Cover cover = bn::cuda::cover(context_, x, {x, dy, dx}, kMapBlocksPerMultiprocessor);
  dispatch(x.parts[0].dtype, cover.lanes, activation, [&]<class T, int N, Activation A>() {
    launch(context_, "input_gradient", input_gradient_kernel<T, N, A>, grid_of(cover), parts_of<T>(dx),
           parts_of<const T>(dy), parts_of<const T>(x), batch, gradient, x.m(), x.c(), cover.tile);
  });
}

void CudaKernels::bias_activation_gradient(const Matrix& dx, float* dbias, void* partial, const Matrix& dy,
                                           const Matrix& y, Activation activation) const {
  Matrices matrices{dy};
  if (activation != Activation::kNone) matrices.add(y);
  if (dx.data != nullptr) matrices.add(dx);
  const Cover cover = cover_of_sums(context_, dy, matrices);
  dispatch(dy.dtype, cover.lanes, activation, [&]<class T, int N, Activation A>() {
    launch(context_, "activation_gradient", activation_gradient_kernel<T, N, A>, grid_of(cover),
           static_cast<T*>(dx.data), dbias, partial, context_.tickets, static_cast<const T*>(dy.data),
           static_cast<const T*>(y.data), dy.m, dy.c, dx.stride, dy.stride, y.stride, cover.tile);
  });
}

}  // namespace bn::cuda
