// Max and average pooling over NHWC. One thread computes 16 bytes of neighbouring channels of one output pixel; going
// back, of one input pixel, gathering from the windows that cover it in a fixed order: no atomics.
//
// Bytes per output element: the new part of its window from memory (the rest is in the cache), y, and for the maximum a
// byte of argmax; going back, each term that is added too. A thread reads a term where it writes dx and nowhere else.
#include "cuda/kernels/cover.hpp"

namespace bn::cuda {
namespace {

// ops::PoolGeometry in numbers that a GPU computes with quickly.
struct PoolGeometry {
  int n, h, w, oh, ow, c;
  int kernel, stride, pad;
  PoolBorder border;

  explicit PoolGeometry(const ops::PoolGeometry& g)
      : n(static_cast<int>(g.n)),
        h(static_cast<int>(g.h)),
        w(static_cast<int>(g.w)),
        oh(static_cast<int>(g.oh)),
        ow(static_cast<int>(g.ow)),
        c(static_cast<int>(g.c)),
        kernel(static_cast<int>(g.kernel)),
        stride(static_cast<int>(g.stride)),
        pad(static_cast<int>(g.pad)),
        border(g.border) {}
};

// A pixel of one image and the first of a thread's channels. False beyond the end.
struct Pixel {
  int image, row, column, channel;
  int64_t index;  // the pixel's

  __device__ bool find(int n, int rows, int columns, int c, int lanes) {
    const int64_t item = item_index();
    // Divisions of 32 bits take a fraction of the time of 64, and suffice for all but the largest batches.
    return item <= UINT32_MAX ? divide(static_cast<uint32_t>(item), n, rows, columns, c, lanes)
                              : divide(item, n, rows, columns, c, lanes);
  }

 private:
  template <class Index>
  __device__ __forceinline__ bool divide(Index item, int n, int rows, int columns, int c, int lanes) {
    const auto groups = static_cast<Index>(c / lanes);
    const Index pixel = item / groups, line = pixel / static_cast<Index>(columns), of = line / static_cast<Index>(rows);
    index = pixel;
    channel = static_cast<int>(item - pixel * groups) * lanes;
    column = static_cast<int>(pixel - line * static_cast<Index>(columns));
    row = static_cast<int>(line - of * static_cast<Index>(rows));
    image = static_cast<int>(of);
    return of < static_cast<Index>(n);
  }
};

// N bytes as they lie in memory, one access.
template <int N>
struct Bytes;
template <>
struct Bytes<1> {
  using Word = uint8_t;
};
template <>
struct Bytes<4> {
  using Word = uint32_t;
};
template <>
struct Bytes<8> {
  using Word = uint2;
};

template <int N>
__device__ __forceinline__ void store_bytes(uint8_t* to, const int (&from)[N]) {
  uint8_t bytes[N];
#pragma unroll
  for (int k = 0; k < N; ++k) bytes[k] = static_cast<uint8_t>(from[k]);
  typename Bytes<N>::Word word;
  memcpy(&word, bytes, sizeof(word));
  *reinterpret_cast<typename Bytes<N>::Word*>(to) = word;
}

template <int N>
__device__ __forceinline__ void load_bytes(uint8_t (&to)[N], const uint8_t* from) {
  const auto word = *reinterpret_cast<const typename Bytes<N>::Word*>(from);
  memcpy(to, &word, sizeof(word));
}

// The part of the window at output position o that lies inside [0, size).
struct Span {
  int begin, end;
  __device__ Span(int o, int size, int kernel, int stride, int pad) {
    begin = o * stride - pad;
    end = begin + kernel < size ? begin + kernel : size;
    begin = begin < 0 ? 0 : begin;
  }
  __device__ int count() const { return end - begin; }
};

// The windows that cover input position i.
struct Covering {
  int begin, end;
  __device__ Covering(int i, int outputs, int kernel, int stride, int pad) {
    const int first = i + pad - kernel + 1;
    begin = first <= 0 ? 0 : (first + stride - 1) / stride;
    const int last = (i + pad) / stride + 1;
    end = last < outputs ? last : outputs;
  }
};

__device__ float window_share(const PoolGeometry& g, int oh, int ow) {
  if (g.border == PoolBorder::kIncludePadding) {
    // Padding on both sides counts; pixels that a last window has beyond it do not.
    const Span padded_rows(oh, g.h + 2 * g.pad, g.kernel, g.stride, 0);
    const Span padded_columns(ow, g.w + 2 * g.pad, g.kernel, g.stride, 0);
    return 1.0F / static_cast<float>(padded_rows.count() * padded_columns.count());
  }
  const Span rows(oh, g.h, g.kernel, g.stride, g.pad), columns(ow, g.w, g.kernel, g.stride, g.pad);
  return 1.0F / static_cast<float>(rows.count() * columns.count());
}

template <class T, int N>
__global__ void __launch_bounds__(kThreads)
    max_forward(T* y, uint8_t* argmax, const T* x, PoolGeometry g, int64_t y_stride, int64_t x_stride) {
  Pixel at;
  if (!at.find(g.n, g.oh, g.ow, g.c, N)) return;
  const Span rows(at.row, g.h, g.kernel, g.stride, g.pad), columns(at.column, g.w, g.kernel, g.stride, g.pad);
  const int top = at.row * g.stride - g.pad, left = at.column * g.stride - g.pad;
  float best[N] = {};
  int place[N] = {};
  bool first = true;
  for (int h = rows.begin; h < rows.end; ++h) {
#pragma unroll 4
    for (int w = columns.begin; w < columns.end; ++w) {
      float v[N];
      const int64_t pixel = (static_cast<int64_t>(at.image) * g.h + h) * g.w + w;
      load<T, N>(v, x + pixel * x_stride + at.channel);
      const int here = (h - top) * g.kernel + (w - left);
#pragma unroll
      for (int k = 0; k < N; ++k) {
        const bool wins = first || (best[k] == best[k] && !(v[k] <= best[k]));  // a NaN wins, and stays
        best[k] = wins ? v[k] : best[k];
        place[k] = wins ? here : place[k];
      }
      first = false;
    }
  }
  store(y + at.index * y_stride + at.channel, best);
  if (argmax == nullptr) return;
  store_bytes(argmax + at.index * g.c + at.channel, place);
}

template <class T, int N>
__device__ __forceinline__ void add_terms(float (&sum)[N], const SumSources& terms, const Pixel& at) {
  for (int i = 0; i < terms.count; ++i) {
    float term[N];
    load<T, N>(term, static_cast<const T*>(terms.data[i]) + at.index * terms.stride[i] + at.channel);
#pragma unroll
    for (int k = 0; k < N; ++k) sum[k] += term[k];
  }
}

template <class T, int N>
__global__ void __launch_bounds__(kThreads) max_backward(T* dx, const T* dy, const uint8_t* argmax, SumSources terms,
                                                         PoolGeometry g, int64_t dx_stride, int64_t dy_stride) {
  Pixel at;
  if (!at.find(g.n, g.h, g.w, g.c, N)) return;
  const Covering rows(at.row, g.oh, g.kernel, g.stride, g.pad), columns(at.column, g.ow, g.kernel, g.stride, g.pad);
  float sum[N] = {};
  for (int oh = rows.begin; oh < rows.end; ++oh) {
#pragma unroll 2
    for (int ow = columns.begin; ow < columns.end; ++ow) {
      const int64_t pixel = (static_cast<int64_t>(at.image) * g.oh + oh) * g.ow + ow;
      const int here = (at.row - oh * g.stride + g.pad) * g.kernel + (at.column - ow * g.stride + g.pad);
      float v[N];
      load<T, N>(v, dy + pixel * dy_stride + at.channel);
      uint8_t places[N];
      load_bytes(places, argmax + pixel * g.c + at.channel);
#pragma unroll
      for (int k = 0; k < N; ++k) sum[k] += places[k] == here ? v[k] : 0.0F;
    }
  }
  add_terms<T>(sum, terms, at);
  store(dx + at.index * dx_stride + at.channel, sum);
}

template <class T, int N>
__global__ void __launch_bounds__(kThreads)
    average_forward(T* y, const T* x, PoolGeometry g, int64_t y_stride, int64_t x_stride) {
  Pixel at;
  if (!at.find(g.n, g.oh, g.ow, g.c, N)) return;
  const Span rows(at.row, g.h, g.kernel, g.stride, g.pad), columns(at.column, g.w, g.kernel, g.stride, g.pad);
  float sum[N] = {};
  for (int h = rows.begin; h < rows.end; ++h) {
#pragma unroll 2
    for (int w = columns.begin; w < columns.end; ++w) {
      float v[N];
      load<T, N>(v, x + ((static_cast<int64_t>(at.image) * g.h + h) * g.w + w) * x_stride + at.channel);
#pragma unroll
      for (int k = 0; k < N; ++k) sum[k] += v[k];
    }
  }
  const float share = window_share(g, at.row, at.column);
#pragma unroll
  for (int k = 0; k < N; ++k) sum[k] *= share;
  store(y + at.index * y_stride + at.channel, sum);
}

template <class T, int N>
__global__ void __launch_bounds__(kThreads)
    average_backward(T* dx, const T* dy, SumSources terms, PoolGeometry g, int64_t dx_stride, int64_t dy_stride) {
  Pixel at;
  if (!at.find(g.n, g.h, g.w, g.c, N)) return;
  const Covering rows(at.row, g.oh, g.kernel, g.stride, g.pad), columns(at.column, g.ow, g.kernel, g.stride, g.pad);
  float sum[N] = {};
  for (int oh = rows.begin; oh < rows.end; ++oh) {
#pragma unroll 1
    for (int ow = columns.begin; ow < columns.end; ++ow) {
      float v[N];
      load<T, N>(v, dy + ((static_cast<int64_t>(at.image) * g.oh + oh) * g.ow + ow) * dy_stride + at.channel);
      const float share = window_share(g, oh, ow);
#pragma unroll
      for (int k = 0; k < N; ++k) sum[k] = fmaf(v[k], share, sum[k]);
    }
  }
  add_terms<T>(sum, terms, at);
  store(dx + at.index * dx_stride + at.channel, sum);
}

Lanes lanes_of(const Tensor& a, const Tensor& b, const uint8_t* argmax, const SumSources& terms = {}) {
  const int64_t wide = 16 / size_of(a.dtype);
  bool fits = a.shape.c % wide == 0 && a.row_stride % wide == 0 && b.row_stride % wide == 0 && is_aligned(a.data) &&
              is_aligned(b.data) && is_aligned(argmax);
  for (int i = 0; i < terms.count; ++i) fits = fits && terms.stride[i] % wide == 0 && is_aligned(terms.data[i]);
  return fits ? Lanes::kWide : Lanes::kOne;
}

Grid grid_of(const Tensor& pixels, int lanes) { return bn::cuda::grid_of(pixels.shape.elements() / lanes); }

}  // namespace

void CudaKernels::max_pool(const Tensor& y, uint8_t* argmax, const Tensor& x, const ops::PoolGeometry& g) const {
  dispatch(x.dtype, lanes_of(x, y, argmax), [&]<class T, int N>() {
    launch(context_, "max_pool", max_forward<T, N>, grid_of(y, N), y.as<T>(), argmax, x.as<T>(), g, y.row_stride,
           x.row_stride);
  });
}

void CudaKernels::max_pool_gradient(const Tensor& dx, const Tensor& dy, const uint8_t* argmax,
                                    const std::vector<Tensor>& terms, const ops::PoolGeometry& g) const {
  const SumSources added = sources_of(terms);
  dispatch(dx.dtype, lanes_of(dx, dy, argmax, added), [&]<class T, int N>() {
    launch(context_, "max_pool_gradient", max_backward<T, N>, grid_of(dx, N), dx.as<T>(), dy.as<T>(), argmax, added, g,
           dx.row_stride, dy.row_stride);
  });
}

void CudaKernels::average_pool(const Tensor& y, const Tensor& x, const ops::PoolGeometry& g) const {
  dispatch(x.dtype, lanes_of(x, y, nullptr), [&]<class T, int N>() {
    launch(context_, "average_pool", average_forward<T, N>, grid_of(y, N), y.as<T>(), x.as<T>(), g, y.row_stride,
           x.row_stride);
  });
}

void CudaKernels::average_pool_gradient(const Tensor& dx, const Tensor& dy, const std::vector<Tensor>& terms,
                                        const ops::PoolGeometry& g) const {
  const SumSources added = sources_of(terms);
  dispatch(dx.dtype, lanes_of(dx, dy, nullptr, added), [&]<class T, int N>() {
    launch(context_, "average_pool_gradient", average_backward<T, N>, grid_of(dx, N), dx.as<T>(), dy.as<T>(), added, g,
           dx.row_stride, dy.row_stride);
  });
}

}  // namespace bn::cuda
