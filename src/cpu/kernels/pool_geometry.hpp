// Which windows and pixels of a pool belong to each other, asking ahead for pixels, and what is added to a gradient.
// Included only by the kernels' sources; see vectors.hpp.
#pragma once

#include "cpu/kernels/kernels.hpp"
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

BN_INLINE void prefetch_line(const void* at) { __builtin_prefetch(at, 0, 2); }

// Asks for one pixel's channels, to be found in the second-level cache a row of windows later.
template <class T>
BN_INLINE void prefetch(const T* pixel, int64_t c) {
  for (int64_t j = 0; j < c; j += 64 / static_cast<int64_t>(sizeof(T))) prefetch_line(pixel + j);
}

// A gradient's V vectors, from channel j of column w, pass through add() before they are stored. This one adds nothing.
struct Alone {
  template <int V, class P>
  BN_INLINE void add(Float (&)[V], int64_t, int64_t, P) const {}
};
// This adds the terms, and reads them at the elements that are stored only.
template <class T>
struct Added {
  RowTerms terms;
  int64_t columns;  // of the row

  template <int V, class P>
  BN_INLINE void add(Float (&totals)[V], int64_t w, int64_t j, P part) const {
    for (int64_t k = 0; k < terms.count; ++k) {
      const Rows row = terms.rows[k];
      const T* at = static_cast<const T*>(row.data) + w * row.stride + j;
      prefetch_line(at + columns * row.stride);
      for (int v = 0; v < V; ++v) totals[v] += load(at + v * kLanes, part);
    }
  }
};

// Calls body(Alone or Added), so that a pool by itself pays nothing for the sums.
template <class T, class Body>
BN_INLINE void with_terms(const RowTerms& terms, const PoolGeometry& g, Body body) {
  if (terms.count == 0) return body(Alone{});
  body(Added<T>{terms, g.w});
}

}  // namespace
}  // namespace bn::cpu::BN_CPU_ISA
