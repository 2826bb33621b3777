// Which windows and pixels of a pool belong to each other, and asking ahead for pixels. Included only by the kernels'
// sources; see vectors.hpp.
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

// Asks for one pixel's channels, to be found in the second-level cache a row of windows later.
template <class T>
BN_INLINE void prefetch(const T* pixel, int64_t c) {
  for (int64_t j = 0; j < c; j += 64 / static_cast<int64_t>(sizeof(T))) __builtin_prefetch(pixel + j, 0, 2);
}

}  // namespace
}  // namespace bn::cpu::BN_CPU_ISA
