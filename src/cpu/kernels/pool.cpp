// Pooling over windows of NHWC images; the rules are at Pool2d in bn/ops.hpp. Vectors run along the channels.
//
// Backward gathers: each element of dx collects from the windows that cover it, in window order, so no two threads
// write one element and the sums have one order.
//
// Windows jump between the rows of an image, which hides from the processor that memory is read and written in order;
// so each row of windows asks ahead for the rows that the next one reads and writes (3x3 averages on maps larger than
// the caches: 16 GB/s without, 29 with).
#include "cpu/kernels/tables.hpp"
#include "cpu/kernels/vectors.hpp"

namespace bn::cpu::BN_CPU_ISA {
namespace {

// First and last + 1.
struct Range {
  int64_t begin, end;
};

BN_INLINE int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }
BN_INLINE int64_t larger(int64_t a, int64_t b) { return a > b ? a : b; }

// The part of window `o` that lies inside [-border, size + border).
BN_INLINE Range window_of(int64_t o, int64_t size, const PoolGeometry& g, int64_t border) {
  const int64_t begin = o * g.stride - g.pad;
  return {larger(begin, -border), smaller(begin + g.kernel, size + border)};
}

// The windows that cover position i.
BN_INLINE Range windows_covering(int64_t i, int64_t windows, const PoolGeometry& g) {
  const int64_t first = i + g.pad - g.kernel + 1;
  return {first <= 0 ? 0 : (first + g.stride - 1) / g.stride, smaller((i + g.pad) / g.stride + 1, windows)};
}

// What an average over window (oh, ow) divides by.
BN_INLINE float divisor(int64_t oh, int64_t ow, const PoolGeometry& g) {
  const int64_t border = g.border == PoolBorder::kIncludePadding ? g.pad : 0;
  const Range h = window_of(oh, g.h, g, border), w = window_of(ow, g.w, g, border);
  return static_cast<float>((h.end - h.begin) * (w.end - w.begin));
}

// Asks for one pixel's channels, to be found in the second-level cache a row of windows later.
template <class T>
BN_INLINE void prefetch(const T* pixel, int64_t c) {
  for (int64_t j = 0; j < c; j += 64 / static_cast<int64_t>(sizeof(T))) __builtin_prefetch(pixel + j, 0, 2);
}

// Asks for what window (oh + 1, ow) adds to window (oh, ow) and its neighbour to the left.
template <class T>
BN_INLINE void prefetch_below(Rows x_image, const PoolGeometry& g, int64_t oh, int64_t ow) {
  const int64_t first = oh * g.stride - g.pad + g.kernel;
  const Range rows = {larger(first, 0), smaller(first + g.stride, g.h)};
  const Range columns = {smaller(ow * g.stride, g.w), ow + 1 == g.ow ? g.w : smaller((ow + 1) * g.stride, g.w)};
  for (int64_t h = rows.begin; h < rows.end; ++h) {
    for (int64_t w = columns.begin; w < columns.end; ++w) {
      prefetch(static_cast<const T*>(x_image.data) + (h * g.w + w) * x_image.stride, g.c);
    }
  }
}

// --- max -------------------------------------------------------------------------------------------------------------

template <class T>
struct MaxWindow {
  const T* pixels[kMaxWindow];
  int32_t places[kMaxWindow];
  int count = 0;
};

template <class T>
BN_INLINE void fill(MaxWindow<T>& window, Rows x_image, const PoolGeometry& g, int64_t oh, int64_t ow) {
  const Range rows = window_of(oh, g.h, g, 0), columns = window_of(ow, g.w, g, 0);
  window.count = 0;
  for (int64_t h = rows.begin; h < rows.end; ++h) {
    for (int64_t w = columns.begin; w < columns.end; ++w, ++window.count) {
      window.pixels[window.count] = static_cast<const T*>(x_image.data) + (h * g.w + w) * x_image.stride;
      const int64_t kh = h - (oh * g.stride - g.pad), kw = w - (ow * g.stride - g.pad);
      window.places[window.count] = static_cast<int32_t>(kh * g.kernel + kw);
    }
  }
}

template <class T>
void max(Rows y_row, uint8_t* argmax_row, Rows x_image, const PoolGeometry& g, int64_t oh) {
  MaxWindow<T> window;
  for (int64_t ow = 0; ow < g.ow; ++ow) {
    fill(window, x_image, g, oh, ow);
    T* y = static_cast<T*>(y_row.data) + ow * y_row.stride;
    uint8_t* argmax = argmax_row == nullptr ? nullptr : argmax_row + ow * g.c;
    prefetch_below<T>(x_image, g, oh, ow);
    prefetch(y + g.ow * y_row.stride, g.c);
    if (argmax != nullptr) prefetch(argmax + g.ow * g.c, g.c);
    for_columns(g.c, [&](int64_t j, auto part) {
      Float best = load(window.pixels[0] + j, part);
      Int place = Int{} + window.places[0];
      for (int k = 1; k < window.count; ++k) {
        const Float value = load(window.pixels[k] + j, part);
        const Int wins = value > best;  // strictly: the first of equals stays
        best = wins ? value : best;
        place = wins ? Int{} + window.places[k] : place;
      }
      store(y + j, best, part);
      if (argmax != nullptr) store_lanes(argmax + j, narrow(place), part);
    });
  }
}

// The windows that cover one input pixel, in window order.
template <class T>
struct Covering {
  const T* dy[kMaxCoveringWindows];
  const uint8_t* argmax[kMaxCoveringWindows];
  int32_t places[kMaxCoveringWindows];  // of the pixel in that window
  float shares[kMaxCoveringWindows];    // of dy that each pixel of an average gets
  int count = 0;
};

template <class T>
BN_INLINE void fill(Covering<T>& covering, Rows dy_image, const uint8_t* argmax_image, const PoolGeometry& g, int64_t h,
                    int64_t w) {
  const Range ohs = windows_covering(h, g.oh, g), ows = windows_covering(w, g.ow, g);
  covering.count = 0;
  for (int64_t oh = ohs.begin; oh < ohs.end; ++oh) {
    for (int64_t ow = ows.begin; ow < ows.end; ++ow, ++covering.count) {
      const int64_t pixel = oh * g.ow + ow;
      covering.dy[covering.count] = static_cast<const T*>(dy_image.data) + pixel * dy_image.stride;
      if (argmax_image != nullptr) {
        covering.argmax[covering.count] = argmax_image + pixel * g.c;
        const int64_t kh = h + g.pad - oh * g.stride, kw = w + g.pad - ow * g.stride;
        covering.places[covering.count] = static_cast<int32_t>(kh * g.kernel + kw);
      } else {
        covering.shares[covering.count] = 1.0F / divisor(oh, ow, g);
      }
    }
  }
}

template <class T>
void max_gradient(Rows dx_row, Rows dy_image, const uint8_t* argmax_image, const PoolGeometry& g, int64_t h) {
  Covering<T> covering;
  for (int64_t w = 0; w < g.w; ++w) {
    fill(covering, dy_image, argmax_image, g, h, w);
    T* dx = static_cast<T*>(dx_row.data) + w * dx_row.stride;
    prefetch(dx + g.w * dx_row.stride, g.c);
    for_columns(g.c, [&](int64_t j, auto part) {
      Float total = {};
      for (int k = 0; k < covering.count; ++k) {
        const Int places = widen(load_lanes<Byte>(covering.argmax[k] + j, part));
        const Float dy = load(covering.dy[k] + j, part);
        total += places == covering.places[k] ? dy : Float{};
      }
      store(dx + j, total, part);
    });
  }
}

// --- average ---------------------------------------------------------------------------------------------------------

// 3x3 windows one pixel apart with one pixel of padding, the pool of nearly every inception module. Three pixels above
// each other are added once, and their sum serves the three windows they are in: five loads an element, not nine, and
// every stream in memory order. The same sums with other weights are the pool's backward pass.
template <class T>
struct Sliding3x3 {
  T* to;
  int64_t to_stride;
  const T* rows[3];      // the `count` rows of pixels that exist
  float row_weights[3];  // factor of each
  int count;
  int64_t from_stride;
  int64_t w, c;
  float edge_in, inner_in;    // factor of a column's sum, at the image's sides and between them
  float edge_out, inner_out;  // factor of a window's sum
  const T* below;             // the row of pixels that the next row of windows adds, or null

  bool is_edge(int64_t column) const { return column == 0 || column == w - 1; }
};

struct alignas(64) ColumnSums {
  float values[kColumnBlock];
};

template <int R, class T, class P>
BN_INLINE Float column_sum(const Sliding3x3<T>& s, int64_t column, int64_t j, P part) {
  Float sum = {};
  for (int r = 0; r < R; ++r) sum += load(s.rows[r] + column * s.from_stride + j, part) * s.row_weights[r];
  return sum * (s.is_edge(column) ? s.edge_in : s.inner_in);
}

// The row of windows, for channels [first, first + count), count <= kColumnBlock; R rows of pixels.
template <int R, class T>
void slide(const Sliding3x3<T>& s, int64_t first, int64_t count) {
  ColumnSums buffers[2];
  float *left = buffers[0].values, *here = buffers[1].values;
  for_columns(count, [&](int64_t j, auto part) {
    store(left + j, Float{}, part);
    store(here + j, column_sum<R>(s, 0, first + j, part), part);
  });
  for (int64_t column = 0; column < s.w; ++column) {
    const float weight = s.is_edge(column) ? s.edge_out : s.inner_out;
    T* to = s.to + column * s.to_stride + first;
    const bool last = column == s.w - 1;
    if (s.below != nullptr) prefetch(s.below + column * s.from_stride + first, count);
    prefetch(to + s.w * s.to_stride, count);
    for_columns(count, [&](int64_t j, auto part) {
      const Float right = last ? Float{} : column_sum<R>(s, column + 1, first + j, part);
      store(to + j, (load(left + j, part) + load(here + j, part) + right) * weight, part);
      store(left + j, right, part);  // becomes `here` of the next column but one
    });
    float* next = left;
    left = here;
    here = next;
  }
}

template <class T>
void slide_row(const Sliding3x3<T>& s) {
  for (int64_t first = 0; first < s.c; first += kColumnBlock) {
    const int64_t count = smaller(kColumnBlock, s.c - first);
    if (s.count == 3) slide<3>(s, first, count);
    if (s.count == 2) slide<2>(s, first, count);
    if (s.count == 1) slide<1>(s, first, count);
  }
}

bool slides(const PoolGeometry& g) { return g.kernel == 3 && g.stride == 1 && g.pad == 1; }

// Pixels that window `o` of such a pool divides by, along one axis.
float extent(int64_t o, int64_t size, const PoolGeometry& g) {
  if (g.border == PoolBorder::kIncludePadding) return 3.0F;
  const Range range = window_of(o, size, g, 0);
  return static_cast<float>(range.end - range.begin);
}

template <class T>
Sliding3x3<T> sliding_over(Rows to_row, Rows from_image, const PoolGeometry& g, int64_t h) {
  Sliding3x3<T> s = {};
  s.to = static_cast<T*>(to_row.data);
  s.to_stride = to_row.stride;
  s.from_stride = from_image.stride;
  s.w = g.w;
  s.c = g.c;
  const T* image = static_cast<const T*>(from_image.data);
  const Range rows = window_of(h, g.h, g, 0);
  for (int64_t row = rows.begin; row < rows.end; ++row) s.rows[s.count++] = image + row * g.w * s.from_stride;
  if (rows.end < g.h) s.below = image + rows.end * g.w * s.from_stride;
  return s;
}

template <class T>
void average(Rows y_row, Rows x_image, const PoolGeometry& g, int64_t oh) {
  if (slides(g)) {
    Sliding3x3<T> s = sliding_over<T>(y_row, x_image, g, oh);
    for (float& weight : s.row_weights) weight = 1.0F;
    s.edge_in = s.inner_in = 1.0F;
    s.edge_out = 1.0F / (extent(oh, g.h, g) * extent(0, g.w, g));
    s.inner_out = 1.0F / (extent(oh, g.h, g) * 3.0F);
    return slide_row(s);
  }
  const Range rows = window_of(oh, g.h, g, 0);
  for (int64_t ow = 0; ow < g.ow; ++ow) {
    const Range columns = window_of(ow, g.w, g, 0);
    const float share = 1.0F / divisor(oh, ow, g);
    T* y = static_cast<T*>(y_row.data) + ow * y_row.stride;
    prefetch_below<T>(x_image, g, oh, ow);
    for_columns(g.c, [&](int64_t j, auto part) {
      Float total = {};
      for (int64_t h = rows.begin; h < rows.end; ++h) {
        const T* x = static_cast<const T*>(x_image.data) + (h * g.w + columns.begin) * x_image.stride + j;
        for (int64_t w = columns.begin; w < columns.end; ++w, x += x_image.stride) total += load(x, part);
      }
      store(y + j, total * share, part);
    });
  }
}

template <class T>
void average_gradient(Rows dx_row, Rows dy_image, const PoolGeometry& g, int64_t h) {
  if (slides(g)) {
    Sliding3x3<T> s = sliding_over<T>(dx_row, dy_image, g, h);
    const int64_t first = window_of(h, g.h, g, 0).begin;
    for (int r = 0; r < s.count; ++r) s.row_weights[r] = 1.0F / extent(first + r, g.h, g);
    s.edge_in = 1.0F / extent(0, g.w, g);
    s.inner_in = 1.0F / 3.0F;
    s.edge_out = s.inner_out = 1.0F;
    return slide_row(s);
  }
  Covering<T> covering;
  for (int64_t w = 0; w < g.w; ++w) {
    fill(covering, dy_image, nullptr, g, h, w);
    T* dx = static_cast<T*>(dx_row.data) + w * dx_row.stride;
    for_columns(g.c, [&](int64_t j, auto part) {
      Float total = {};
      for (int k = 0; k < covering.count; ++k) total += load(covering.dy[k] + j, part) * covering.shares[k];
      store(dx + j, total, part);
    });
  }
}

template <class T>
constexpr PoolKernels table() {
  return {
      .max = max<T>, .max_gradient = max_gradient<T>, .average = average<T>, .average_gradient = average_gradient<T>};
}

}  // namespace

extern constinit const PoolKernels kPoolF32 = table<float>();
extern constinit const PoolKernels kPoolBf16 = table<Bf16>();

}  // namespace bn::cpu::BN_CPU_ISA
