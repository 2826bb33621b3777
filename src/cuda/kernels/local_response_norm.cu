// Local response normalisation across channels, y_i = x_i base_i^-beta with base_i = k + alpha / size * sum of the
// squares in the window of i. Where the window is 5, whole accesses of 16 bytes fit the channels and the tensors are
// aligned, a thread computes 16 bytes of channels and each base once. Otherwise a thread computes one element.
#include "cuda/cuda_kernels.hpp"
#include "cuda/kernels/device.hpp"

namespace bn::cuda {
namespace {

// The channels of a window centred at `channel`.
struct Window {
  int begin, end;
  __device__ Window(int channel, int size, int c) {
    begin = channel - size / 2 < 0 ? 0 : channel - size / 2;
    end = channel + (size - 1) / 2 + 1 < c ? channel + (size - 1) / 2 + 1 : c;
  }
};

// base^-beta. The usual 0.75 takes two roots instead of a logarithm and an exponential.
__device__ __forceinline__ float scale_of(float base, float beta) {
  return beta == 0.75F ? rsqrtf(base) * rsqrtf(sqrtf(base)) : powf(base, -beta);
}

template <class T>
__device__ __forceinline__ float base_at(const T* row, int channel, const LocalResponseNorm& spec, int c) {
  const Window window(channel, static_cast<int>(spec.size), c);
  float squares = 0;
  for (int j = window.begin; j < window.end; ++j) {
    const float v = element(row + j);
    squares = fmaf(v, v, squares);
  }
  return fmaf(spec.alpha / static_cast<float>(spec.size), squares, spec.k);
}

// A thread computes one element; its neighbours' reads hit the cache. Bytes per element: x read, y written.
template <class T>
__global__ void __launch_bounds__(kThreads)
    forward_one(T* y, const T* x, LocalResponseNorm spec, int64_t elements, int c) {
  const int64_t item = item_index();
  if (item >= elements) return;
  const int64_t row = divide(item, c);
  const int channel = static_cast<int>(item - row * c);
  const float v[1] = {element(x + item) * scale_of(base_at(x + row * c, channel, spec, c), spec.beta)};
  store(y + item, v);
}

// dx_i = dy_i base_i^-beta - 2 alpha beta / size x_i sum_j dy_j x_j base_j^(-beta-1), j over the windows that hold i.
// The bases are computed again from x: less than writing and reading them. Bytes per element: x, dy, dx.
template <class T>
__global__ void __launch_bounds__(kThreads)
    backward_one(T* dx, const T* dy, const T* x, LocalResponseNorm spec, int64_t elements, int c) {
  const int64_t item = item_index();
  if (item >= elements) return;
  const int64_t row = divide(item, c);
  const int channel = static_cast<int>(item - row * c), size = static_cast<int>(spec.size);
  const T *x_row = x + row * c, *dy_row = dy + row * c;
  const int begin = channel - (size - 1) / 2, end = channel + size / 2 + 1;
  float sum = 0, own = 0;
  for (int j = begin < 0 ? 0 : begin; j < (end < c ? end : c); ++j) {
    const float base = base_at(x_row, j, spec, c), scale = scale_of(base, spec.beta);
    sum = fmaf(element(dy_row + j) * element(x_row + j), scale / base, sum);
    if (j == channel) own = scale;
  }
  const float factor = 2.0F * spec.alpha * spec.beta / static_cast<float>(size);
  const float v[1] = {element(dy_row + channel) * own - factor * element(x_row + channel) * sum};
  store(dx + item, v);
}

constexpr int kSize = 5, kHalf = 2;  // the window of the kernels below, and what it has on either side

// The packet of a thread's N channels and those beside it in its row, zeros beyond the row's ends: lane N + i is the
// thread's channel i.
template <class T, int N>
struct Neighbours {
  float lane[3 * N];

  __device__ __forceinline__ Neighbours(const T* row, int channel, int c) {
    float before[N] = {}, own[N], after[N] = {};
    if (channel > 0) load<T, N>(before, row + channel - N);
    load<T, N>(own, row + channel);
    if (channel + N < c) load<T, N>(after, row + channel + N);
#pragma unroll
    for (int i = 0; i < N; ++i) {
      lane[i] = before[i];
      lane[N + i] = own[i];
      lane[2 * N + i] = after[i];
    }
  }

  __device__ __forceinline__ float base(int at, const LocalResponseNorm& spec) const {
    float squares = 0;
#pragma unroll
    for (int j = at - kHalf; j <= at + kHalf; ++j) squares = fmaf(lane[j], lane[j], squares);
    return fmaf(spec.alpha / static_cast<float>(kSize), squares, spec.k);
  }
};

// A thread's row and the first of its channels. False beyond the end.
struct Place {
  int64_t row;
  int channel;

  __device__ __forceinline__ bool find(int64_t rows, int c, int lanes) {
    const int64_t item = item_index();
    const int groups = c / lanes;
    row = divide(item, groups);
    channel = static_cast<int>(item - row * groups) * lanes;
    return row < rows;
  }
};

// Bytes per element: x read (three times, twice from the cache), y written.
template <class T, int N>
__global__ void __launch_bounds__(kThreads)
    forward_wide(T* y, const T* x, LocalResponseNorm spec, int64_t rows, int c) {
  Place at;
  if (!at.find(rows, c, N)) return;
  const Neighbours<T, N> near(x + at.row * c, at.channel, c);
  float v[N];
#pragma unroll
  for (int i = 0; i < N; ++i) v[i] = near.lane[N + i] * scale_of(near.base(N + i, spec), spec.beta);
  store(y + at.row * c + at.channel, v);
}

// Bytes per element: x and dy read (three times, twice from the cache), dx written.
template <class T, int N>
__global__ void __launch_bounds__(kThreads)
    backward_wide(T* dx, const T* dy, const T* x, LocalResponseNorm spec, int64_t rows, int c) {
  static_assert(N >= 2 * kHalf);
  Place at;
  if (!at.find(rows, c, N)) return;
  const Neighbours<T, N> x_near(x + at.row * c, at.channel, c), dy_near(dy + at.row * c, at.channel, c);
  float scale[N + 2 * kHalf], ratio[N + 2 * kHalf];  // [0] is the channel kHalf before the thread's first
#pragma unroll
  for (int i = 0; i < N + 2 * kHalf; ++i) {
    const int channel = at.channel + i - kHalf;
    const float base = x_near.base(N + i - kHalf, spec);
    scale[i] = scale_of(base, spec.beta);
    ratio[i] = channel < 0 || channel >= c ? 0.0F : scale[i] / base;  // beyond the ends the base is k, perhaps 0
  }
  const float factor = 2.0F * spec.alpha * spec.beta / static_cast<float>(kSize);
  float v[N];
#pragma unroll
  for (int i = 0; i < N; ++i) {
    float sum = 0;
#pragma unroll
    for (int j = i; j <= i + 2 * kHalf; ++j) {
      sum = fmaf(dy_near.lane[N - kHalf + j] * x_near.lane[N - kHalf + j], ratio[j], sum);
    }
    v[i] = dy_near.lane[N + i] * scale[i + kHalf] - factor * x_near.lane[N + i] * sum;
  }
  store(dx + at.row * c + at.channel, v);
}

Lanes lanes_of(const Tensor& x, const LocalResponseNorm& spec, std::initializer_list<const void*> others) {
  bool fits = spec.size == kSize && x.shape.c % (16 / size_of(x.dtype)) == 0 && is_aligned(x.data);
  for (const void* other : others) fits = fits && is_aligned(other);
  return fits ? Lanes::kWide : Lanes::kOne;
}

}  // namespace

void CudaKernels::local_response_norm(const Tensor& y, const Tensor& x, const LocalResponseNorm& spec) const {
  const int64_t elements = x.shape.elements();
  dispatch(x.dtype, lanes_of(x, spec, {y.data}), [&]<class T, int N>() {
    if constexpr (N == 1) {
      launch(context_, "local_response_norm", forward_one<T>, grid_of(elements), y.as<T>(), x.as<T>(), spec, elements,
             x.shape.c);
    } else {
      launch(context_, "local_response_norm", forward_wide<T, N>, grid_of(elements / N), y.as<T>(), x.as<T>(), spec,
             x.shape.rows(), x.shape.c);
    }
  });
}

void CudaKernels::local_response_norm_gradient(const Tensor& dx, const Tensor& dy, const Tensor& x,
                                               const LocalResponseNorm& spec) const {
  const int64_t elements = x.shape.elements();
  dispatch(x.dtype, lanes_of(x, spec, {dx.data, dy.data}), [&]<class T, int N>() {
    if constexpr (N == 1) {
      launch(context_, "local_response_norm_gradient", backward_one<T>, grid_of(elements), dx.as<T>(), dy.as<T>(),
             x.as<T>(), spec, elements, x.shape.c);
    } else {
      launch(context_, "local_response_norm_gradient", backward_wide<T, N>, grid_of(elements / N), dx.as<T>(),
             dy.as<T>(), x.as<T>(), spec, x.shape.rows(), x.shape.c);
    }
  });
}

}  // namespace bn::cuda
