// One block takes a group of neighbouring columns and all their rows. What one thread does: it loads its rows into
// shared memory while it sums, and walks them again from there once the block has the columns' statistics: the barrier
// between the two is for those, the rows being its own. Bytes per element: forward reads x and writes y, backward reads
// x and dy and writes dx. Sums are of fixed order: rows within a thread, then a tree over the block's threads.
#include "cuda/error.hpp"
#include "cuda/kernels/gradient_sums.hpp"
#include "cuda/kernels/moments.hpp"
#include "cuda/kernels/on_chip.hpp"

namespace bn::cuda {
namespace {

constexpr int kTile = 2;  // accesses side by side: 32 bytes, the least that memory moves
constexpr int kRowsAtOnce = kThreads / kTile;

int64_t shared_bytes(int64_t m, int kept) { return (m + kRowsAtOnce - 1) / kRowsAtOnce * kThreads * 16 * kept; }

template <class T, int N, Activation A>
__global__ void __launch_bounds__(kThreads)
    normalize_on_chip(T* y, const T* x, BatchColumns batch, AffineColumns affine, int m, int64_t c, int64_t y_stride,
                      int64_t x_stride) {
  using P = Packet<T, N>;
  BN_DYNAMIC_SHARED(float4, memory);
  P* const own = reinterpret_cast<P*>(memory) + threadIdx.x;  // every kThreads-th
  const Place place(kTile, N, m, 0);
  const bool active = place.column < c;
  Moments moments[N];
  float count = 0, origin[N] = {};
  if (active) {
    load<T, N>(origin, x + place.column);
    int row = place.row, slot = 0;
    for (; row + 3 * place.step < m; row += 4 * place.step, slot += 4 * kThreads) {
      P packets[4];
#pragma unroll
      for (int r = 0; r < 4; ++r) {
        packets[r] = load_packet<T, N>(x + (row + r * place.step) * x_stride + place.column);
      }
      float v[4][N];
#pragma unroll
      for (int r = 0; r < 4; ++r) {
        own[slot + r * kThreads] = packets[r];
        to_floats(v[r], packets[r]);
      }
      add_four(moments, count, v, origin);
    }
    for (; row < m; row += place.step, slot += kThreads) {
      const P packet = load_packet<T, N>(x + row * x_stride + place.column);
      own[slot] = packet;
      float v[N];
      to_floats(v, packet);
      add_one(moments, count, v, origin);
    }
  }
  merge_lines(moments, count, place);
  if (place.line == 0 && active) {
#pragma unroll
    for (int k = 0; k < N; ++k) {
      finish_column(batch, affine, place.column + k, origin[k], moments[k].mean, moments[k].m2, m);
    }
  }
  __syncthreads();  // the columns' values lie in global memory now, for this block
  if (!active) return;
  float mean[N], scale[N], shift[N];
  load_columns<N>(mean, batch.mean + place.column);
  load_columns<N>(scale, batch.scale + place.column);
  load_columns<N>(shift, batch.shift + place.column);
  for (int row = place.row, slot = 0; row < m; row += place.step, slot += kThreads) {
    float v[N];
    to_floats(v, own[slot]);
#pragma unroll
    for (int k = 0; k < N; ++k) v[k] = activate<A>(fmaf(v[k] - mean[k], scale[k], shift[k]));
    store(y + row * y_stride + place.column, v);
  }
}

template <class T, int N, Activation A>
__global__ void __launch_bounds__(kThreads)
    gradient_on_chip(T* dx, const T* dy, const T* x, BatchColumns batch, GradientColumns gradient, float eps, int m,
                     int64_t c, int64_t dx_stride, int64_t dy_stride, int64_t x_stride) {
  using P = Packet<T, N>;
  BN_DYNAMIC_SHARED(float4, memory);
  P* const own = reinterpret_cast<P*>(memory) + threadIdx.x;  // x and dy of a row in turn
  const Place place(kTile, N, m, 0);
  const bool active = place.column < c;
  float sum[N] = {}, product[N] = {};
  ColumnValues<N> values;
  if (active) {
    load_values<T, N, A>(values, batch, place.column);
#pragma unroll 2
    for (int row = place.row, slot = 0; row < m; row += place.step, slot += 2 * kThreads) {
      const P x_packet = load_packet<T, N>(x + row * x_stride + place.column);
      const P dy_packet = load_packet<T, N>(dy + row * dy_stride + place.column);
      own[slot] = x_packet;
      own[slot + kThreads] = dy_packet;
      float dz[N], d[N];
      to_floats(dz, dy_packet);
      to_floats(d, x_packet);
      to_dz<N, A>(dz, d, values);
#pragma unroll
      for (int k = 0; k < N; ++k) sum[k] += dz[k], product[k] = fmaf(dz[k], d[k], product[k]);
    }
  }
  add_lines(sum, place);
  add_lines(product, place);
  if (place.line == 0 && active) {
#pragma unroll
    for (int k = 0; k < N; ++k) {
      finish_gradient_column(gradient, batch, place.column + k, sum[k], product[k], eps, 1.0 / m);
    }
  }
  __syncthreads();  // the columns' values lie in global memory now, for this block
  if (!active || dx == nullptr) return;
  float factor[N], x_factor[N], constant[N];
  load_columns<N>(factor, batch.scale + place.column);
  load_columns<N>(x_factor, gradient.x_factor + place.column);
  load_columns<N>(constant, gradient.constant + place.column);
  for (int row = place.row, slot = 0; row < m; row += place.step, slot += 2 * kThreads) {
    float dz[N], d[N];
    to_floats(d, own[slot]);
    to_floats(dz, own[slot + kThreads]);
    to_dz<N, A>(dz, d, values);
#pragma unroll
    for (int k = 0; k < N; ++k) dz[k] = fmaf(dz[k], factor[k], fmaf(d[k], x_factor[k], constant[k]));
    store(dx + row * dx_stride + place.column, dz);
  }
}

Grid on_chip_grid(const Matrix& x, int lanes, int kept) {
  return {.x = static_cast<unsigned>((x.c + kTile * lanes - 1) / (kTile * lanes)),
          .threads = kThreads,
          .shared_bytes = static_cast<unsigned>(shared_bytes(x.m, kept))};
}

template <class Kernel>
void allow_shared_bytes(const Context& context, Kernel* kernel) {
  BN_CUDA(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, context.on_chip_bytes));
}

}  // namespace

bool fits_on_chip(const Context& context, int64_t m, int kept) {
  return shared_bytes(m, kept) <= context.on_chip_bytes;
}

void prepare_on_chip(const Context& context) {
  for (const DType dtype : {DType::kF32, DType::kBf16}) {
    for (const Lanes lanes : {Lanes::kOne, Lanes::kWide}) {
      for (const Activation activation : {Activation::kNone, Activation::kRelu, Activation::kSigmoid}) {
        dispatch(dtype, lanes, activation, [&]<class T, int N, Activation A>() {
          allow_shared_bytes(context, normalize_on_chip<T, N, A>);
          allow_shared_bytes(context, gradient_on_chip<T, N, A>);
        });
      }
    }
  }
}

void on_chip_forward(const Context& context, const Matrix& y, const Matrix& x, const BatchColumns& batch,
                     const AffineColumns& affine, Activation activation) {
  const Matrix* matrices[] = {&x, &y};
  dispatch(x.dtype, cover(context, matrices, 2, 1).lanes, activation, [&]<class T, int N, Activation A>() {
    launch(context, "normalize_on_chip", normalize_on_chip<T, N, A>, on_chip_grid(x, N, 1), static_cast<T*>(y.data),
           static_cast<const T*>(x.data), batch, affine, x.m, x.c, y.stride, x.stride);
  });
}

void on_chip_backward(const Context& context, const Matrix& dx, const Matrix& dy, const Matrix& x,
                      const BatchColumns& batch, const GradientColumns& gradient, float eps, Activation activation) {
  const Matrix* matrices[3] = {&x, &dy, &dx};
  const int count = dx.data == nullptr ? 2 : 3;
  dispatch(x.dtype, cover(context, matrices, count, 1).lanes, activation, [&]<class T, int N, Activation A>() {
    launch(context, "gradient_on_chip", gradient_on_chip<T, N, A>, on_chip_grid(x, N, 2), static_cast<T*>(dx.data),
           static_cast<const T*>(dy.data), static_cast<const T*>(x.data), batch, gradient, eps, x.m, x.c, dx.stride,
           dy.stride, x.stride);
  });
}

}  // namespace bn::cuda
