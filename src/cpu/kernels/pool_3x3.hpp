// Pools over 3x3 windows one or two pixels apart: all but one of the pools of an inception network. A row of windows is
// taken a strip of channels at a time, from left to right, so that the pixels shared by neighbouring windows stay in
// registers. That jumps through memory; so each window asks for the pixels that the next row of windows reads and
// writes at its place.
#pragma once

#include <type_traits>

#include "cpu/kernels/pool_geometry.hpp"

namespace bn::cpu::BN_CPU_ISA {
namespace {

constexpr int kNowhere = 255;  // larger than any place in a window

// Vectors to take together, for a line of memory or as many as registers can hold.
template <class T>
constexpr int kLineVectors = sizeof(T) * kLanes < 64 ? 2 : 1;

// --- max -------------------------------------------------------------------------------------------------------------

// Elements as integers that compare as the numbers do. The integer is the magnitude, negated for negative numbers, so
// the zeros are equal. A shift is subtracted: it takes NaNs of either sign above infinity and leaves missing() below
// everything. One signalling NaN, which no arithmetic makes, comes to lie at the level of missing().
template <class T>
struct Order;
template <>
struct Order<float> {
  using Lanes = Int;
  using Bits = UInt;
  static constexpr uint32_t kSign = 0x80000000U, kShift = 0x7fffffU;
  static constexpr int kCount = kLanes;
};
template <>
struct Order<Bf16> {
  using Lanes = Short;
  using Bits = UShort;
  static constexpr uint16_t kSign = 0x8000U, kShift = 0x7fU;
  static constexpr int kCount = 2 * kLanes;
};
template <class T>
using Ordered = typename Order<T>::Lanes;

template <class T>
BN_INLINE Ordered<T> missing() {
  return reinterpret_cast<Ordered<T>>(typename Order<T>::Bits{} + Order<T>::kSign);
}

template <class P>
BN_INLINE UInt load_bits(const float* from, P part) {
  return reinterpret_cast<UInt>(load_lanes<Float>(from, part));
}
template <class P>
BN_INLINE UShort load_bits(const Bf16* from, P part) {
  return load_lanes<UShort>(from, part);
}
template <class P>
BN_INLINE void store_bits(float* to, UInt bits, P part) {
  store_lanes(to, reinterpret_cast<Float>(bits), part);
}
template <class P>
BN_INLINE void store_bits(Bf16* to, UShort bits, P part) {
  store_lanes(to, bits, part);
}

#if defined(__AVX512F__)
BN_INLINE __m512i raw(Int lanes) { return reinterpret_cast<__m512i>(lanes); }
BN_INLINE __m512i raw(Short lanes) { return reinterpret_cast<__m512i>(lanes); }

template <class T>
BN_INLINE typename Order<T>::Bits negate_negative(typename Order<T>::Bits bits) {
  using Bits = typename Order<T>::Bits;
  const auto lanes = reinterpret_cast<__m512i>(bits), sign = reinterpret_cast<__m512i>(Bits{} + Order<T>::kSign);
  if constexpr (sizeof(T) == 2) {
    return reinterpret_cast<Bits>(_mm512_mask_sub_epi16(lanes, _mm512_movepi16_mask(lanes), sign, lanes));
  } else {
    return reinterpret_cast<Bits>(_mm512_mask_sub_epi32(lanes, _mm512_movepi32_mask(lanes), sign, lanes));
  }
}

// best = the larger, place = its place; the first of equals stays.
BN_INLINE void take_larger(Int& best, Int& place, Int value, Int value_place) {
  const __mmask16 wins = _mm512_cmpgt_epi32_mask(raw(value), raw(best));
  best = reinterpret_cast<Int>(_mm512_maskz_max_epi32(0xffff, raw(best), raw(value)));
  place = reinterpret_cast<Int>(_mm512_mask_mov_epi32(raw(place), wins, raw(value_place)));
}
BN_INLINE void take_larger(Short& best, Short& place, Short value, Short value_place) {
  const __mmask32 wins = _mm512_cmpgt_epi16_mask(raw(value), raw(best));
  best = reinterpret_cast<Short>(_mm512_max_epi16(raw(best), raw(value)));
  place = reinterpret_cast<Short>(_mm512_mask_mov_epi16(raw(place), wins, raw(value_place)));
}
BN_INLINE Int larger_of(Int a, Int b) { return reinterpret_cast<Int>(_mm512_maskz_max_epi32(0xffff, raw(a), raw(b))); }
BN_INLINE Short larger_of(Short a, Short b) { return reinterpret_cast<Short>(_mm512_max_epi16(raw(a), raw(b))); }

// place = the smaller place, where value equals best.
BN_INLINE void take_first(Int& place, Int value, Int value_place, Int best) {
  const __mmask16 equal = _mm512_cmpeq_epi32_mask(raw(value), raw(best));
  place = reinterpret_cast<Int>(_mm512_mask_min_epi32(raw(place), equal, raw(place), raw(value_place)));
}
BN_INLINE void take_first(Short& place, Short value, Short value_place, Short best) {
  const __mmask32 equal = _mm512_cmpeq_epi16_mask(raw(value), raw(best));
  place = reinterpret_cast<Short>(_mm512_mask_min_epi16(raw(place), equal, raw(place), raw(value_place)));
}
#else
template <class T>
BN_INLINE typename Order<T>::Bits negate_negative(typename Order<T>::Bits bits) {
  return reinterpret_cast<Ordered<T>>(bits) < 0 ? Order<T>::kSign - bits : bits;
}

template <class L>
BN_INLINE void take_larger(L& best, L& place, L value, L value_place) {
  const L wins = value > best;
  best = wins ? value : best;
  place = wins ? value_place : place;
}
template <class L>
BN_INLINE L larger_of(L a, L b) {
  return b > a ? b : a;
}
template <class L>
BN_INLINE void take_first(L& place, L value, L value_place, L best) {
  const L takes = (value == best) & (value_place < place);
  place = takes ? value_place : place;
}
#endif

template <class T, class P>
BN_INLINE Ordered<T> load_ordered(const T* from, P part) {
  return reinterpret_cast<Ordered<T>>(negate_negative<T>(load_bits(from, part)) - Order<T>::kShift);
}
template <class T, class P>
BN_INLINE void store_ordered(T* to, Ordered<T> value, P part) {
  const auto bits = reinterpret_cast<typename Order<T>::Bits>(value) + Order<T>::kShift;
  store_bits(to, negate_negative<T>(bits), part);
}

// A row of windows. A row of pixels that is not there is stood in for by its neighbour, with that one's places.
template <class T>
struct Max3x3 {
  const T* rows[3] = {};
  int32_t row_places[3] = {};
  const T* below[2] = {};  // the rows that the next row of windows adds, or any
  int64_t x_stride, w;
  T* y;
  int64_t y_stride, ow;
  uint8_t* argmax;  // or null
  int64_t c, pad;
};

// The largest of three pixels above each other, and its place were the column a window's first. It serves each window
// that the column is in; equal values in several columns of a window are told apart by place.
template <class T>
struct ColumnMax {
  Ordered<T> best, place;
};

template <int Stride, bool Places, class T, class P>
BN_INLINE void max_strip(const Max3x3<T>& m, int64_t j, P part) {
  using Lanes = Ordered<T>;
  using Place = std::remove_reference_t<decltype(Lanes{}[0])>;
  Lanes row_places[3];
  for (int r = 0; r < 3; ++r) row_places[r] = Lanes{} + static_cast<Place>(m.row_places[r]);
  const auto load_column = [&](int64_t column) {
    if (column < 0 || column >= m.w) return ColumnMax<T>{missing<T>(), row_places[0]};
    const auto pixel = [&](int r) { return load_ordered(m.rows[r] + column * m.x_stride + j, part); };
    ColumnMax<T> of{pixel(0), row_places[0]};
    for (int r = 1; r < 3; ++r) {
      if constexpr (Places) {
        take_larger(of.best, of.place, pixel(r), row_places[r]);
      } else {
        of.best = larger_of(of.best, pixel(r));
      }
    }
    return of;
  };
  ColumnMax<T> first = load_column(-m.pad), second, third;
  if constexpr (Stride == 1) second = load_column(1 - m.pad);
  for (int64_t ow = 0; ow < m.ow; ++ow) {
    const int64_t column = ow * Stride - m.pad;
    if constexpr (Stride == 2) second = load_column(column + 1);
    third = load_column(column + 2);
    for (int r = 0; r < Stride; ++r) {
      for (int k = 0; k < Stride; ++k) prefetch_line(m.below[r] + (ow * Stride + k) * m.x_stride + j);
    }
    const Lanes best = larger_of(larger_of(first.best, second.best), third.best);
    T* y = m.y + ow * m.y_stride + j;
    store_ordered(y, best, part);
    prefetch_line(y + m.ow * m.y_stride);
    if constexpr (Places) {
      Lanes place = Lanes{} + static_cast<Place>(kNowhere);
      take_first(place, first.best, first.place, best);
      take_first(place, second.best, second.place + Lanes{} + Place{1}, best);
      take_first(place, third.best, third.place + Lanes{} + Place{2}, best);
      store_lanes(m.argmax + ow * m.c + j, narrow(place), part);
      prefetch_line(m.argmax + (m.ow + ow) * m.c + j);
    }
    if constexpr (Stride == 1) {
      first = second;
      second = third;
    } else {
      first = third;
    }
  }
}

template <int Stride, class T>
void max_3x3(Rows y_row, uint8_t* argmax_row, Rows x_image, const PoolGeometry& g, int64_t oh) {
  const T* image = static_cast<const T*>(x_image.data);
  const auto row_of_pixels = [&](int64_t h) { return image + h * g.w * x_image.stride; };
  const int64_t first = oh * Stride - g.pad;
  Max3x3<T> m = {.x_stride = x_image.stride,
                 .w = g.w,
                 .y = static_cast<T*>(y_row.data),
                 .y_stride = y_row.stride,
                 .ow = g.ow,
                 .argmax = argmax_row,
                 .c = g.c,
                 .pad = g.pad};
  for (int r = 0; r < 3; ++r) {
    const int64_t h = smaller(larger(first + r, 0), g.h - 1);
    m.rows[r] = row_of_pixels(h);
    m.row_places[r] = static_cast<int32_t>(3 * (h - first));
  }
  for (int r = 0; r < Stride; ++r) m.below[r] = row_of_pixels(smaller(first + 3 + r, g.h - 1));
  for_columns<Order<T>::kCount>(g.c, [&](int64_t j, auto part) {
    if (argmax_row == nullptr) {
      max_strip<Stride, false>(m, j, part);
    } else {
      max_strip<Stride, true>(m, j, part);
    }
  });
}

// --- gradient of max -------------------------------------------------------------------------------------------------

// Winners' places in the type that is compared fastest.
#if defined(__AVX512F__)
using Winners = Byte;
template <class P>
BN_INLINE Winners load_winners(const uint8_t* from, P part) {
  return load_lanes<Byte>(from, part);
}
BN_INLINE Float add_where(Float total, Winners winners, Winners place, Float dy) {
  const __mmask16 wins = _mm_cmpeq_epi8_mask(reinterpret_cast<__m128i>(winners), reinterpret_cast<__m128i>(place));
  return _mm512_mask_add_ps(total, wins, total, dy);
}
#else
using Winners = Int;
template <class P>
BN_INLINE Winners load_winners(const uint8_t* from, P part) {
  return widen(load_lanes<Byte>(from, part));
}
BN_INLINE Float add_where(Float total, Winners winners, Winners place, Float dy) {
  return total + (winners == place ? dy : Float{});
}
#endif
BN_INLINE Winners winners_at(int place) {
  using Place = std::remove_reference_t<decltype(Winners{}[0])>;
  return Winners{} + static_cast<Place>(place);
}

// A row of dx, and the rows of windows that cover it.
template <class T>
struct MaxGradient3x3 {
  const T* dy[3] = {};
  const uint8_t* argmax[3] = {};
  int row_places[3] = {};       // places of this row's first pixel in those windows
  const T* dy_below = nullptr;  // the row of windows that the next row of dx adds, or any
  const uint8_t* argmax_below = nullptr;
  int64_t dy_stride, ow;
  T* dx;
  int64_t dx_stride, w;
  int64_t c, pad;
};

// One column of R windows above each other.
template <int R, int V>
struct WindowColumn {
  Float dy[R][V];
  Winners winners[R][V];
};

template <int R, int V, class T, class P>
BN_INLINE void load_windows(WindowColumn<R, V>& to, const MaxGradient3x3<T>& m, int64_t ow, int64_t j, P part) {
  if (ow < 0 || ow >= m.ow) {
    for (int r = 0; r < R; ++r) {
      for (int v = 0; v < V; ++v) {
        to.dy[r][v] = Float{};
        to.winners[r][v] = winners_at(kNowhere);
      }
    }
    return;
  }
  const int64_t dy_at = ow * m.dy_stride + j, argmax_at = ow * m.c + j;
  for (int r = 0; r < R; ++r) {
    for (int v = 0; v < V; ++v) {
      to.dy[r][v] = load(m.dy[r] + dy_at + v * kLanes, part);
      to.winners[r][v] = load_winners(m.argmax[r] + argmax_at + v * kLanes, part);
    }
  }
  prefetch_line(m.dy_below + dy_at);
  prefetch_line(m.argmax_below + argmax_at);
}

// total += the gradients of those windows that the pixel at `place` won.
template <int R, int V>
BN_INLINE void add_won(Float (&total)[V], const WindowColumn<R, V>& windows, int r, Winners place) {
  for (int v = 0; v < V; ++v) total[v] = add_where(total[v], windows.winners[r][v], place, windows.dy[r][v]);
}

// Window ow begins at column ow * Stride - pad.
template <int Stride, int R, int V, class T, class Terms, class P>
BN_INLINE void max_gradient_strip(const MaxGradient3x3<T>& m, Terms terms, int64_t j, P part) {
  Winners places[R][3];
  for (int r = 0; r < R; ++r) {
    for (int k = 0; k < 3; ++k) places[r][k] = winners_at(m.row_places[r] + k);
  }
  WindowColumn<R, V> left, here, right;
  T* dx = m.dx + j;
  const auto write = [&](int64_t w, Float(&total)[V]) {
    prefetch_line(dx + m.w * m.dx_stride);
    terms.add(total, w, j, part);
    for (int v = 0; v < V; ++v) store(dx + v * kLanes, total[v], part);
    dx += m.dx_stride;
  };
  if constexpr (Stride == 1) {
    load_windows(left, m, m.pad - 2, j, part);
    load_windows(here, m, m.pad - 1, j, part);
    for (int64_t w = 0; w < m.w; ++w) {
      load_windows(right, m, w + m.pad, j, part);
      Float total[V] = {};
      for (int r = 0; r < R; ++r) {
        add_won(total, left, r, places[r][2]);
        add_won(total, here, r, places[r][1]);
        add_won(total, right, r, places[r][0]);
      }
      write(w, total);
      left = here;
      here = right;
    }
    return;
  }
  // Two columns at a time: the first one of a window, shared with the window before, and the one that is its own.
  load_windows(here, m, (m.pad + 1) / 2 - 1, j, part);
  const auto write_own = [&](int64_t w) {
    Float total[V] = {};
    for (int r = 0; r < R; ++r) add_won(total, here, r, places[r][1]);
    write(w, total);
  };
  int64_t w = 0;
  if (m.pad % 2 == 1) write_own(w++);
  for (; w < m.w; w += 2) {
    load_windows(right, m, (w + m.pad) / 2, j, part);
    Float total[V] = {};
    for (int r = 0; r < R; ++r) {
      add_won(total, here, r, places[r][2]);
      add_won(total, right, r, places[r][0]);
    }
    write(w, total);
    here = right;
    if (w + 1 < m.w) write_own(w + 1);
  }
}

template <int Stride, class T, class Terms>
void max_gradient_3x3(Rows dx_row, Rows dy_image, const uint8_t* argmax_image, Terms terms, const PoolGeometry& g,
                      int64_t h) {
  const Range covering = windows_covering(h, g.oh, g);
  MaxGradient3x3<T> m = {.dy_stride = dy_image.stride,
                         .ow = g.ow,
                         .dx = static_cast<T*>(dx_row.data),
                         .dx_stride = dx_row.stride,
                         .w = g.w,
                         .c = g.c,
                         .pad = g.pad};
  for (int64_t oh = covering.begin; oh < covering.end; ++oh) {
    const int64_t r = oh - covering.begin;
    m.dy[r] = static_cast<const T*>(dy_image.data) + oh * g.ow * dy_image.stride;
    m.argmax[r] = argmax_image + oh * g.ow * g.c;
    m.row_places[r] = static_cast<int>(3 * (h + g.pad - oh * Stride));
  }
  const int64_t below = smaller(covering.end, g.oh - 1) * g.ow;
  m.dy_below = static_cast<const T*>(dy_image.data) + below * dy_image.stride;
  m.argmax_below = argmax_image + below * g.c;
  const auto over_channels = [&]<int R>() {
    constexpr int kVectors = Stride == 2 ? kLineVectors<T> : 1;
    int64_t j = 0;
    for (; j + kVectors * kLanes <= g.c; j += kVectors * kLanes) {
      max_gradient_strip<Stride, R, kVectors>(m, terms, j, Whole{});
    }
    for_columns(g.c - j, [&](int64_t i, auto part) { max_gradient_strip<Stride, R, 1>(m, terms, j + i, part); });
  };
  switch (covering.end - covering.begin) {
    case 1:
      return over_channels.template operator()<1>();
    case 2:
      return over_channels.template operator()<2>();
    case 3:
      if constexpr (Stride == 1) return over_channels.template operator()<3>();
      break;
    default:
      for (int64_t w = 0; w < g.w; ++w) {
        for_columns(g.c, [&](int64_t j, auto part) {
          Float total[1] = {};
          terms.add(total, w, j, part);
          store(m.dx + w * m.dx_stride + j, total[0], part);
        });
      }
  }
}

// --- average ---------------------------------------------------------------------------------------------------------

// Windows one pixel apart with one pixel of padding. Three pixels above each other are added once, and their sum serves
// the three windows they are in. The same sums with other weights are the pool's backward pass.
template <class T>
struct Sliding3x3 {
  T* to;
  int64_t to_stride;
  const T* rows[3];      // the `count` rows of pixels that exist
  float row_weights[3];  // factor of each
  int count;
  const T* below;  // the row of pixels that the next row of windows adds, or any
  int64_t from_stride;
  int64_t w, c;
  float edge_in, inner_in;    // factor of a column's sum, at the image's sides and between them
  float edge_out, inner_out;  // factor of a window's sum

  bool is_edge(int64_t column) const { return column == 0 || column == w - 1; }
};

// Vectors of V times as many channels: a line of memory.
template <int R, int V, class T, class Terms, class P>
BN_INLINE void slide_strip(const Sliding3x3<T>& s, Terms terms, int64_t j, P part) {
  Float row_weights[R];
  for (int r = 0; r < R; ++r) row_weights[r] = Float{} + s.row_weights[r];
  const auto add_column = [&](Float(&sums)[V], int64_t column) {
    const float weight = s.is_edge(column) ? s.edge_in : s.inner_in;
    const int64_t at = column * s.from_stride + j;
    for (int v = 0; v < V; ++v) {
      Float sum = {};
      for (int r = 0; r < R; ++r) sum += load(s.rows[r] + at + v * kLanes, part) * row_weights[r];
      sums[v] = sum * weight;
    }
    prefetch_line(s.below + at);
  };
  Float left[V] = {}, here[V], right[V];
  add_column(here, 0);
  for (int64_t column = 0; column < s.w; ++column) {
    const float weight = s.is_edge(column) ? s.edge_out : s.inner_out;
    if (column + 1 < s.w) {
      add_column(right, column + 1);
    } else {
      for (Float& sum : right) sum = Float{};
    }
    T* to = s.to + column * s.to_stride + j;
    prefetch_line(to + s.w * s.to_stride);
    Float total[V];
    for (int v = 0; v < V; ++v) total[v] = (left[v] + here[v] + right[v]) * weight;
    terms.add(total, column, j, part);
    for (int v = 0; v < V; ++v) {
      store(to + v * kLanes, total[v], part);
      left[v] = here[v];
      here[v] = right[v];
    }
  }
}

template <int R, class T, class Terms>
void slide(const Sliding3x3<T>& s, Terms terms) {
  constexpr int kVectors = kLineVectors<T>;
  int64_t j = 0;
  for (; j + kVectors * kLanes <= s.c; j += kVectors * kLanes) slide_strip<R, kVectors>(s, terms, j, Whole{});
  for_columns(s.c - j, [&](int64_t i, auto part) { slide_strip<R, 1>(s, terms, j + i, part); });
}

template <class T, class Terms>
void slide_row(const Sliding3x3<T>& s, Terms terms) {
  if (s.count == 3) slide<3>(s, terms);
  if (s.count == 2) slide<2>(s, terms);
  if (s.count == 1) slide<1>(s, terms);
}

}  // namespace
}  // namespace bn::cpu::BN_CPU_ISA
