// Pooling over windows of NHWC images; the rules are at Pool2d in bn/ops.hpp. Vectors run along the channels.
//
// Backward gathers: each element of dx collects from the windows that cover it, in window order, so no two threads
// write one element and the sums have one order.
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
      if (argmax != nullptr) store_lanes(argmax + j, __builtin_convertvector(place, Byte), part);
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
    for_columns(g.c, [&](int64_t j, auto part) {
      Float total = {};
      for (int k = 0; k < covering.count; ++k) {
        const Int places = __builtin_convertvector(load_lanes<Byte>(covering.argmax[k] + j, part), Int);
        const Float dy = load(covering.dy[k] + j, part);
        total += places == covering.places[k] ? dy : Float{};
      }
      store(dx + j, total, part);
    });
  }
}

template <class T>
void average(Rows y_row, Rows x_image, const PoolGeometry& g, int64_t oh) {
  const Range rows = window_of(oh, g.h, g, 0);
  for (int64_t ow = 0; ow < g.ow; ++ow) {
    const Range columns = window_of(ow, g.w, g, 0);
    const float share = 1.0F / divisor(oh, ow, g);
    T* y = static_cast<T*>(y_row.data) + ow * y_row.stride;
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
