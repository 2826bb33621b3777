// Products of matrices on AMX's tiles, which multiply bf16 and sum in f32. A value of f32 is taken as the sum of two of
// bf16, its parts, which leave out 2^-18 of it; a product of two such is high high + high low + low high. At the peak
// rates these three products of bf16 take a fifth of the time that AVX-512 takes for f32. Below 1e-33 the low part is
// smaller than AMX's least number, and counts as zero.
#include "cpu/kernels/tables.hpp"
#include "cpu/kernels/vectors.hpp"

namespace bn::cpu::BN_CPU_ISA {

// clang 14 has a name of its own.
#if (defined(__AMX_BF16__) || defined(__AMXBF16__)) && defined(__AVX512BF16__)
namespace {

constexpr int64_t kTile = 16;         // rows of a tile, its columns of f32, and its pairs of bf16
constexpr int64_t kTileValues = 512;  // of bf16
constexpr int64_t kPair = 2;
// GCC 12 warns of undefined values in its own headers where no mask is given.
constexpr __mmask16 kAllDwords = 0xffff;
constexpr __mmask8 kAllQwords = 0xff;

// Configurations of the eight tiles: all have 16 rows of 64 bytes.
struct alignas(64) TileConfiguration {
  uint8_t palette = 1, start_row = 0, reserved[14] = {};
  uint16_t bytes_a_row[16] = {64, 64, 64, 64, 64, 64, 64, 64};
  uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
};

void begin() {
  // Not a local variable: GCC 12 believes that the instruction reads 8 bytes, and drops what else it should read.
  static constexpr TileConfiguration kConfiguration;
  _tile_loadconfig(&kConfiguration);
}
void end() { _tile_release(); }

// Whether values of this type have a low part.
template <class E>
constexpr bool kHasLow = sizeof(E) == sizeof(float);

// The parts of values, or of pairs of values from two rows, as the dwords of a vector.
struct Split {
  __m512i high, low;
};

BN_INLINE __m512i dwords(Half bits) { return _mm512_maskz_cvtepu16_epi32(kAllDwords, reinterpret_cast<__m256i>(bits)); }
BN_INLINE __m512i upper(__m512i lower) { return _mm512_maskz_slli_epi32(kAllDwords, lower, 16); }
BN_INLINE __m512i bits_of(Float value) { return dwords(narrow(value)); }

// The part of a value that bf16 leaves out. Infinity minus itself is NaN, so an infinite value becomes NaN here.
BN_INLINE Float rest(Float value, __m512i high) { return value - _mm512_castsi512_ps(high); }

template <class P>
BN_INLINE Split interleave(const float* even, const float* odd, P part) {
  const Float x0 = load(even, part), x1 = load(odd, part);
  const __m512i h0 = bits_of(x0), h1 = upper(bits_of(x1));
  return {_mm512_or_si512(h0, h1), _mm512_or_si512(bits_of(rest(x0, upper(h0))), upper(bits_of(rest(x1, h1))))};
}
template <class P>
BN_INLINE Split interleave(const Bf16* even, const Bf16* odd, P part) {
  return {_mm512_or_si512(dwords(load_lanes<Half>(even, part)), upper(dwords(load_lanes<Half>(odd, part)))),
          _mm512_setzero_si512()};
}

// 16 values in their order.
template <class P>
BN_INLINE void split_to(Bf16* high, Bf16* low, const float* x, P part) {
  const Float value = load(x, part);
  const Half bits = narrow(value);
  store_lanes(high, bits, part);
  store_lanes(low, narrow(rest(value, upper(dwords(bits)))), part);
}
template <class P>
BN_INLINE void split_to(Bf16* high, Bf16*, const Bf16* x, P part) {
  store_lanes(high, load_lanes<Half>(x, part), part);
}

template <class E>
void split(AmxParts to, const void* from, int64_t pixels, int64_t c) {
  const auto* x = static_cast<const E*>(from);
  for (int64_t i = 0; i < pixels; ++i, x += c) {
    Bf16 *high = to.high + i * to.pitch, *low = kHasLow<E> ? to.low + i * to.pitch : nullptr;
    for_columns(c, [&](int64_t j, auto part) { split_to(high + j, kHasLow<E> ? low + j : nullptr, x + j, part); });
  }
}

BN_INLINE void transpose(__m512i* m) {
  __m512i t[kTile];
#pragma GCC unroll 8
  for (int i = 0; i < kTile; i += 2) {
    t[i] = _mm512_maskz_unpacklo_epi32(kAllDwords, m[i], m[i + 1]);
    t[i + 1] = _mm512_maskz_unpackhi_epi32(kAllDwords, m[i], m[i + 1]);
  }
#pragma GCC unroll 4
  for (int i = 0; i < kTile; i += 4) {
    m[i] = _mm512_maskz_unpacklo_epi64(kAllQwords, t[i], t[i + 2]);
    m[i + 1] = _mm512_maskz_unpackhi_epi64(kAllQwords, t[i], t[i + 2]);
    m[i + 2] = _mm512_maskz_unpacklo_epi64(kAllQwords, t[i + 1], t[i + 3]);
    m[i + 3] = _mm512_maskz_unpackhi_epi64(kAllQwords, t[i + 1], t[i + 3]);
  }
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) {
    t[i] = _mm512_maskz_shuffle_i32x4(kAllDwords, m[i], m[i + 4], 0x88);
    t[i + 4] = _mm512_maskz_shuffle_i32x4(kAllDwords, m[i], m[i + 4], 0xdd);
    t[i + 8] = _mm512_maskz_shuffle_i32x4(kAllDwords, m[i + 8], m[i + 12], 0x88);
    t[i + 12] = _mm512_maskz_shuffle_i32x4(kAllDwords, m[i + 8], m[i + 12], 0xdd);
  }
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) {
    m[i] = _mm512_maskz_shuffle_i32x4(kAllDwords, t[i], t[i + 8], 0x88);
    m[i + 4] = _mm512_maskz_shuffle_i32x4(kAllDwords, t[i + 4], t[i + 12], 0x88);
    m[i + 8] = _mm512_maskz_shuffle_i32x4(kAllDwords, t[i], t[i + 8], 0xdd);
    m[i + 12] = _mm512_maskz_shuffle_i32x4(kAllDwords, t[i + 4], t[i + 12], 0xdd);
  }
}

template <class E>
void pair_rows(AmxParts to, const void* const* rows, int64_t c) {
  for (int64_t i = 0; i < kAmxBlock; i += kPair) {
    const auto *even = static_cast<const E*>(rows[i]), *odd = static_cast<const E*>(rows[i + 1]);
    Bf16* high = to.high + i / kPair * to.pitch;
    for_columns(c, [&](int64_t j, auto part) {
      const Split pairs = interleave(even + j, odd + j, part);
      _mm512_storeu_si512(high + kPair * j, pairs.high);
      if constexpr (kHasLow<E>) _mm512_storeu_si512(to.low + i / kPair * to.pitch + kPair * j, pairs.low);
    });
  }
}

template <class E>
void transpose_rows(AmxParts to, const void* const* rows, int64_t c) {
  for_columns(c, [&](int64_t j, auto part) {
    __m512i high[kTile], low[kTile];
    for (int64_t i = 0; i < kTile; ++i) {
      const Split pairs =
          interleave(static_cast<const E*>(rows[kPair * i]) + j, static_cast<const E*>(rows[kPair * i + 1]) + j, part);
      high[i] = pairs.high;
      if constexpr (kHasLow<E>) low[i] = pairs.low;
    }
    transpose(high);
    for (int64_t i = 0; i < kTile; ++i) _mm512_storeu_si512(to.high + (j + i) * to.pitch, high[i]);
    if constexpr (kHasLow<E>) {
      transpose(low);
      for (int64_t i = 0; i < kTile; ++i) _mm512_storeu_si512(to.low + (j + i) * to.pitch, low[i]);
    }
  });
}

// Copies dense rows of a block of weights into one of [32, 32], whose rest is left as it is.
BN_INLINE void gather(float (&block)[kAmxBlock][kAmxBlock], const float* from, int64_t stride, int64_t rows,
                      int64_t columns) {
  for (int64_t i = 0; i < rows; ++i) {
    for_columns(columns, [&](int64_t j, auto part) { store(block[i] + j, load(from + i * stride + j, part), part); });
  }
}

// A pair of tiles side by side for each part, of pairs of depths [16] by columns [16].
template <bool HasLow>
void pack(uint16_t* tiles, const AmxWeights& w) {
  alignas(64) float block[kAmxBlock][kAmxBlock] = {};  // [depths, columns]
  if (w.column_stride == 1) {
    gather(block, w.data, w.depth_stride, w.depths, w.columns);
  } else {  // depths lie side by side
    alignas(64) float turned[kAmxBlock][kAmxBlock] = {};
    gather(turned, w.data, w.column_stride, w.columns, w.depths);
    for (int64_t place = 0; place < 4; ++place) {
      const int64_t depth = place / 2 * kTile, column = place % 2 * kTile;
      __m512i tile[kTile];
      for (int64_t i = 0; i < kTile; ++i) tile[i] = _mm512_load_si512(turned[column + i] + depth);
      transpose(tile);
      for (int64_t i = 0; i < kTile; ++i) _mm512_store_si512(block[depth + i] + column, tile[i]);
    }
  }
  for (int64_t tile = 0; tile < 2; ++tile) {
    for (int64_t row = 0; row < kTile; ++row) {
      const float *even = block[kPair * row] + tile * kTile, *odd = block[kPair * row + 1] + tile * kTile;
      const Split pairs = interleave(even, odd, Whole{});
      uint16_t* to = tiles + tile * kTileValues + row * 2 * kTile;
      _mm512_storeu_si512(to, pairs.high);
      if constexpr (HasLow) _mm512_storeu_si512(to + 2 * kTileValues, pairs.low);
    }
  }
}

// The tiles: four of sums, [32, 32] of f32, and two of each operand.
BN_INLINE void zero_sums() {
  _tile_zero(0);
  _tile_zero(1);
  _tile_zero(2);
  _tile_zero(3);
}
BN_INLINE void load_sums(const float* sums, int64_t pitch) {
  const int64_t bytes = pitch * static_cast<int64_t>(sizeof(float));
  _tile_loadd(0, sums, bytes);
  _tile_loadd(1, sums + kTile, bytes);
  _tile_loadd(2, sums + kTile * pitch, bytes);
  _tile_loadd(3, sums + kTile * pitch + kTile, bytes);
}
BN_INLINE void store_sums(float* sums, int64_t pitch) {
  const int64_t bytes = pitch * static_cast<int64_t>(sizeof(float));
  _tile_stored(0, sums, bytes);
  _tile_stored(1, sums + kTile, bytes);
  _tile_stored(2, sums + kTile * pitch, bytes);
  _tile_stored(3, sums + kTile * pitch + kTile, bytes);
}
BN_INLINE void load_a(const uint16_t* rows, int64_t pitch) {
  const int64_t bytes = pitch * static_cast<int64_t>(sizeof(uint16_t));
  _tile_loadd(4, rows, bytes);
  _tile_loadd(5, rows + kTile * pitch, bytes);
}
BN_INLINE void load_b(const uint16_t* pairs, int64_t pitch, int64_t next) {
  const int64_t bytes = pitch * static_cast<int64_t>(sizeof(uint16_t));
  _tile_loadd(6, pairs, bytes);
  _tile_loadd(7, pairs + next, bytes);
}
BN_INLINE void multiply_tiles() {
  _tile_dpbf16ps(0, 4, 6);
  _tile_dpbf16ps(1, 4, 7);
  _tile_dpbf16ps(2, 5, 6);
  _tile_dpbf16ps(3, 5, 7);
}

// [32, 32] of bf16. The second of two factors has pairs of rows, and its right half `next` values behind its left one.
struct Factor {
  const uint16_t *high, *low;
  int64_t pitch, next = 0;
};
template <bool HasLow>
BN_INLINE Factor factor_at(const AmxParts& parts, int64_t values, int64_t next = 0) {
  return {parts.high + values, HasLow ? parts.low + values : nullptr, parts.pitch, next};
}

// sums += a b; small products first.
template <bool HasLow>
BN_INLINE void add_product(const Factor& a, const Factor& b) {
  load_a(a.high, a.pitch);
  if constexpr (HasLow) {
    load_b(b.low, b.pitch, b.next);
    multiply_tiles();
  }
  load_b(b.high, b.pitch, b.next);
  multiply_tiles();
  if constexpr (HasLow) {
    load_a(a.low, a.pitch);
    multiply_tiles();
  }
}

template <bool HasLow>
void multiply(float* sums, int64_t pitch, const AmxParts& x, const int64_t* taps, int64_t tap_count, int64_t depths,
              const uint16_t* weights) {
  zero_sums();
  for (int64_t tap = 0; tap < tap_count; ++tap) {
    for (int64_t depth = 0; depth < depths; ++depth) {
      add_product<HasLow>(factor_at<HasLow>(x, taps[tap] * x.pitch + depth * kAmxBlock),
                          {weights, weights + 2 * kTileValues, 2 * kTile, kTileValues});
      weights += (HasLow ? 4 : 2) * kTileValues;
    }
  }
  store_sums(sums, pitch);
}

template <bool HasLow>
void multiply_pairs(float* sums, bool adds, const AmxParts& a, const AmxParts& b, int64_t depths) {
  adds ? load_sums(sums, kAmxBlock) : zero_sums();
  for (int64_t depth = 0; depth < depths; ++depth) {
    add_product<HasLow>(factor_at<HasLow>(a, depth * kAmxBlock),
                        factor_at<HasLow>(b, depth * kTile * b.pitch, 2 * kTile));
  }
  store_sums(sums, kAmxBlock);
}

template <Activation A, class E>
void store_rows_as(void* const* rows, const float* sums, int64_t columns, const float* bias) {
  for (int64_t i = 0; i < kAmxBlock; ++i, sums += kAmxBlock) {
    if (rows[i] == nullptr) continue;
    auto* y = static_cast<E*>(rows[i]);
    for_columns(columns, [&](int64_t j, auto part) {
      const Float value = load(sums + j, Whole{});
      store(y + j, activate<A>(bias == nullptr ? value : value + load(bias + j, part)), part);
    });
  }
}

template <class E>
void store_rows(void* const* rows, const float* sums, int64_t columns, const float* bias, Activation activation) {
  with_activation(activation, [&]<Activation A>() { store_rows_as<A, E>(rows, sums, columns, bias); });
}

template <class E>
constexpr AmxKernels table() {
  return {.begin = begin,
          .end = end,
          .split = split<E>,
          .pack = pack<kHasLow<E>>,
          .multiply = multiply<kHasLow<E>>,
          .store_rows = store_rows<E>,
          .transpose_rows = transpose_rows<E>,
          .pair_rows = pair_rows<E>,
          .multiply_pairs = multiply_pairs<kHasLow<E>>};
}

}  // namespace

extern constinit const AmxKernels kAmxF32 = table<float>();
extern constinit const AmxKernels kAmxBf16 = table<Bf16>();

#else

extern constinit const AmxKernels kAmxF32 = {};
extern constinit const AmxKernels kAmxBf16 = {};

#endif

}  // namespace bn::cpu::BN_CPU_ISA
