// Pooling over windows of NHWC images; the rules are at Pool2d in bn/ops.hpp. Vectors run along the channels.
//
// Backward gathers: each element of dx collects from the windows that cover it, in window order, so no two threads
// write one element and the sums have one order.
//
// Windows jump between the rows of an image, which hides from the processor that memory is read and written in order;
// so each row of windows asks ahead for the rows that the next one reads and writes (3x3 averages on maps larger than
// the caches: 16 GB/s without, 29 with).
#include "cpu/kernels/pool_3x3.hpp"
#include "cpu/kernels/pool_geometry.hpp"
#include "cpu/kernels/tables.hpp"
#include "cpu/kernels/vectors.hpp"

namespace bn::cpu::BN_CPU_ISA {
namespace {

// The divisor of an average over window (oh, ow).
BN_INLINE float divisor(int64_t oh, int64_t ow, const PoolGeometry& g) {
  const int64_t border = g.border == PoolBorder::kIncludePadding ? g.pad : 0;
  const Range h = window_of(oh, g.h, g, border), w = window_of(ow, g.w, g, border);
  return static_cast<float>((h.end - h.begin) * (w.end - w.begin));
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
  if (g.kernel == 3 && g.stride == 1) return max_3x3<1, T>(y_row, argmax_row, x_image, g, oh);
  if (g.kernel == 3 && g.stride == 2) return max_3x3<2, T>(y_row, argmax_row, x_image, g, oh);
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
        // Strictly: the first of equals stays. The rest is a NaN's, over a number.
        const Int wins = (value > best) | ((value != value) & (best == best));
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
  int32_t places[kMaxCoveringWindows];  // the pixel's place in that window
  float shares[kMaxCoveringWindows];    // the share of dy that each pixel of an average gets
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

template <class T, class Terms>
void max_gradient_row(Rows dx_row, Rows dy_image, const uint8_t* argmax_image, Terms terms, const PoolGeometry& g,
                      int64_t h) {
  if (g.kernel == 3 && g.stride == 1) return max_gradient_3x3<1, T>(dx_row, dy_image, argmax_image, terms, g, h);
  if (g.kernel == 3 && g.stride == 2) return max_gradient_3x3<2, T>(dx_row, dy_image, argmax_image, terms, g, h);
  Covering<T> covering;
  for (int64_t w = 0; w < g.w; ++w) {
    fill(covering, dy_image, argmax_image, g, h, w);
    T* dx = static_cast<T*>(dx_row.data) + w * dx_row.stride;
    prefetch(dx + g.w * dx_row.stride, g.c);
    for_columns(g.c, [&](int64_t j, auto part) {
      Float total[1] = {};
      for (int k = 0; k < covering.count; ++k) {
        const Int places = widen(load_lanes<Byte>(covering.argmax[k] + j, part));
        const Float dy = load(covering.dy[k] + j, part);
        total[0] += places == covering.places[k] ? dy : Float{};
      }
      terms.add(total, w, j, part);
      store(dx + j, total[0], part);
    });
  }
}

template <class T>
void max_gradient(Rows dx_row, Rows dy_image, const uint8_t* argmax_image, const RowTerms& terms, const PoolGeometry& g,
                  int64_t h) {
  with_terms<T>(terms, g, [&](auto added) { max_gradient_row<T>(dx_row, dy_image, argmax_image, added, g, h); });
}

// --- average ---------------------------------------------------------------------------------------------------------

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
  s.below = image + smaller(rows.end, g.h - 1) * g.w * s.from_stride;
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
    return slide_row(s, Alone{});
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

template <class T, class Terms>
void average_gradient_row(Rows dx_row, Rows dy_image, Terms terms, const PoolGeometry& g, int64_t h) {
  if (slides(g)) {
    Sliding3x3<T> s = sliding_over<T>(dx_row, dy_image, g, h);
    const int64_t first = window_of(h, g.h, g, 0).begin;
    for (int r = 0; r < s.count; ++r) s.row_weights[r] = 1.0F / extent(first + r, g.h, g);
    s.edge_in = 1.0F / extent(0, g.w, g);
    s.inner_in = 1.0F / 3.0F;
    s.edge_out = s.inner_out = 1.0F;
    return slide_row(s, terms);
  }
  Covering<T> covering;
  for (int64_t w = 0; w < g.w; ++w) {
    fill(covering, dy_image, nullptr, g, h, w);
    T* dx = static_cast<T*>(dx_row.data) + w * dx_row.stride;
    for_columns(g.c, [&](int64_t j, auto part) {
      Float total[1] = {};
      for (int k = 0; k < covering.count; ++k) total[0] += load(covering.dy[k] + j, part) * covering.shares[k];
      terms.add(total, w, j, part);
      store(dx + j, total[0], part);
    });
  }
}

template <class T>
void average_gradient(Rows dx_row, Rows dy_image, const RowTerms& terms, const PoolGeometry& g, int64_t h) {
  with_terms<T>(terms, g, [&](auto added) { average_gradient_row<T>(dx_row, dy_image, added, g, h); });
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
