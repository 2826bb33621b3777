// Vectors of the instruction set being compiled for. Included only by the kernels' sources, each of which is compiled
// once per instruction set: everything here has internal linkage, and no inline function of the standard library may
// be called, or the linker could keep a copy that another machine cannot run.
#pragma once

#include <cstdint>

#include "bn/ops.hpp"

#if defined(__AVX512F__) || defined(__AVX2__)
#include <immintrin.h>
#endif

#define BN_INLINE inline __attribute__((always_inline))

namespace bn::cpu::BN_CPU_ISA {
namespace {

#if defined(__AVX512F__)
constexpr int kLanes = 16;
#elif defined(__AVX2__)
constexpr int kLanes = 8;
#else
constexpr int kLanes = 4;
#endif

using Float = float __attribute__((vector_size(kLanes * 4)));
using Int = int32_t __attribute__((vector_size(kLanes * 4)));
using UInt = uint32_t __attribute__((vector_size(kLanes * 4)));
using Half = uint16_t __attribute__((vector_size(kLanes * 2)));
using Byte = uint8_t __attribute__((vector_size(kLanes)));
// Twice as many lanes: 16-bit numbers computed with as they are.
using Short = int16_t __attribute__((vector_size(kLanes * 4)));
using UShort = uint16_t __attribute__((vector_size(kLanes * 4)));
using Bytes = uint8_t __attribute__((vector_size(kLanes * 2)));

using Bf16 = uint16_t;  // its bits

// How much of a vector is there: all of it, or the first `count` lanes at the end of a row.
struct Whole {};
struct Part {
  int64_t count;
};

// GCC 12 converts vectors of 16 and 8 bits in halves or one by one unless told how.
BN_INLINE Float widen(Half bits) {
#if defined(__AVX512F__)
  const auto words = reinterpret_cast<UInt>(_mm512_maskz_cvtepu16_epi32(0xffff, reinterpret_cast<__m256i>(bits)));
#elif defined(__AVX2__)
  const auto words = reinterpret_cast<UInt>(_mm256_cvtepu16_epi32(reinterpret_cast<__m128i>(bits)));
#else
  const auto words = __builtin_convertvector(bits, UInt);
#endif
  return reinterpret_cast<Float>(words << 16);
}

// The lower halves of the lanes.
BN_INLINE Half narrow(UInt words) {
#if defined(__AVX512F__)
  return reinterpret_cast<Half>(_mm512_maskz_cvtepi32_epi16(0xffff, reinterpret_cast<__m512i>(words)));
#else
  return __builtin_convertvector(words, Half);
#endif
}

// Rounds to nearest, ties to even; NaN stays NaN (see Bfloat16). The instruction for it is a third faster over a whole
// batch norm, but takes values below 2^-126 for zero.
BN_INLINE Half narrow(Float value) {
#if defined(__AVX512BF16__)
  return reinterpret_cast<Half>(_mm512_cvtneps_pbh(value));
#else
  const UInt word = reinterpret_cast<UInt>(value);
#if defined(__AVX512F__)
  const auto lanes = reinterpret_cast<__m512i>(word);
  const auto up = reinterpret_cast<__m512i>(word + 0x7fffU);
  const __mmask16 odd = _mm512_test_epi32_mask(lanes, _mm512_set1_epi32(0x10000));
  const __mmask16 nan = _mm512_cmp_ps_mask(value, value, _CMP_UNORD_Q);
  const __m512i rounded = _mm512_mask_add_epi32(up, odd, up, _mm512_set1_epi32(1));
  const auto bits = reinterpret_cast<UInt>(_mm512_mask_mov_epi32(rounded, nan, _mm512_set1_epi32(0x7fc00000)));
#else
  const UInt rounded = word + 0x7fffU + ((word >> 16) & 1U);
  const UInt bits = value == value ? rounded : UInt{} + 0x7fc00000U;
#endif
  return narrow(bits >> 16);
#endif
}

BN_INLINE Int widen(Byte bytes) {
#if defined(__AVX512F__)
  return reinterpret_cast<Int>(_mm512_maskz_cvtepu8_epi32(0xffff, reinterpret_cast<__m128i>(bytes)));
#elif defined(__AVX2__)
  return reinterpret_cast<Int>(_mm256_cvtepu8_epi32(_mm_cvtsi64_si128(reinterpret_cast<int64_t>(bytes))));
#else
  return __builtin_convertvector(bytes, Int);
#endif
}
BN_INLINE Byte narrow(Int lanes) {
#if defined(__AVX512F__)
  return reinterpret_cast<Byte>(_mm512_maskz_cvtepi32_epi8(0xffff, reinterpret_cast<__m512i>(lanes)));
#else
  return __builtin_convertvector(lanes, Byte);
#endif
}

BN_INLINE Bytes narrow(Short lanes) {
#if defined(__AVX512F__)
  return reinterpret_cast<Bytes>(_mm512_maskz_cvtepi16_epi8(0xffffffff, reinterpret_cast<__m512i>(lanes)));
#else
  return __builtin_convertvector(lanes, Bytes);
#endif
}

template <class V, class T>
BN_INLINE V load_lanes(const T* from, Whole) {
  V lanes;
  __builtin_memcpy(&lanes, from, sizeof(V));
  return lanes;
}
template <class V, class T>
BN_INLINE V load_lanes(const T* from, Part part) {
  V lanes = {};
  for (int64_t i = 0; i < part.count; ++i) lanes[i] = from[i];
  return lanes;
}
template <class V, class T>
BN_INLINE void store_lanes(T* to, V lanes, Whole) {
  __builtin_memcpy(to, &lanes, sizeof(V));
}
template <class V, class T>
BN_INLINE void store_lanes(T* to, V lanes, Part part) {
  for (int64_t i = 0; i < part.count; ++i) to[i] = lanes[i];
}

#if defined(__AVX512F__)
// Masks make the end of a row as cheap as its middle.
BN_INLINE uint32_t mask_of(Part part) { return (1U << part.count) - 1U; }
template <>
BN_INLINE Float load_lanes<Float, float>(const float* from, Part part) {
  return _mm512_maskz_loadu_ps(mask_of(part), from);
}
template <>
BN_INLINE void store_lanes<Float, float>(float* to, Float lanes, Part part) {
  _mm512_mask_storeu_ps(to, mask_of(part), lanes);
}
template <>
BN_INLINE Half load_lanes<Half, Bf16>(const Bf16* from, Part part) {
  return reinterpret_cast<Half>(_mm256_maskz_loadu_epi16(mask_of(part), from));
}
template <>
BN_INLINE void store_lanes<Half, Bf16>(Bf16* to, Half lanes, Part part) {
  _mm256_mask_storeu_epi16(to, mask_of(part), reinterpret_cast<__m256i>(lanes));
}
template <>
BN_INLINE UShort load_lanes<UShort, Bf16>(const Bf16* from, Part part) {
  return reinterpret_cast<UShort>(_mm512_maskz_loadu_epi16(mask_of(part), from));
}
template <>
BN_INLINE void store_lanes<UShort, Bf16>(Bf16* to, UShort lanes, Part part) {
  _mm512_mask_storeu_epi16(to, mask_of(part), reinterpret_cast<__m512i>(lanes));
}
template <>
BN_INLINE Byte load_lanes<Byte, uint8_t>(const uint8_t* from, Part part) {
  return reinterpret_cast<Byte>(_mm_maskz_loadu_epi8(mask_of(part), from));
}
template <>
BN_INLINE void store_lanes<Byte, uint8_t>(uint8_t* to, Byte lanes, Part part) {
  _mm_mask_storeu_epi8(to, mask_of(part), reinterpret_cast<__m128i>(lanes));
}
template <>
BN_INLINE void store_lanes<Bytes, uint8_t>(uint8_t* to, Bytes lanes, Part part) {
  _mm256_mask_storeu_epi8(to, mask_of(part), reinterpret_cast<__m256i>(lanes));
}
#endif

template <class P>
BN_INLINE Float load(const float* from, P part) {
  return load_lanes<Float>(from, part);
}
template <class P>
BN_INLINE Float load(const Bf16* from, P part) {
  return widen(load_lanes<Half>(from, part));
}
template <class P>
BN_INLINE void store(float* to, Float value, P part) {
  store_lanes(to, value, part);
}
template <class P>
BN_INLINE void store(Bf16* to, Float value, P part) {
  store_lanes(to, narrow(value), part);
}

// body(first column, Whole or Part) over [0, columns).
template <int Lanes = kLanes, class Body>
BN_INLINE void for_columns(int64_t columns, Body body) {
  int64_t j = 0;
  for (; j + Lanes <= columns; j += Lanes) body(j, Whole{});
  if (j < columns) body(j, Part{columns - j});
}

// e^x to 2 units in the last place; 0 below -87.3, infinity above 88.7, NaN for NaN.
BN_INLINE Float exponential(Float x) {
  constexpr float kLog2E = 1.44269504F, kLn2High = 0.693359375F, kLn2Low = -2.12194440e-4F;
  constexpr float kRound = 12582912.0F;  // 1.5 * 2^23: adding it leaves the nearest integer in the low bits
  const Float limited = x > 89.0F ? Float{} + 89.0F : x < -88.0F ? Float{} - 88.0F : x;
  const Float shifted = limited * kLog2E + kRound;
  const Float n = shifted - kRound;
  const Float r = limited - n * kLn2High - n * kLn2Low;
  Float p = Float{} + 1.9875691500e-4F;
  p = p * r + 1.3981999507e-3F;
  p = p * r + 8.3334519073e-3F;
  p = p * r + 4.1665795894e-2F;
  p = p * r + 1.6666665459e-1F;
  p = p * r + 5.0000001201e-1F;
  p = p * r * r + r + 1.0F;
  // Two factors, so that neither exponent leaves its range: n lies in -127 .. 128.
  const Int exponent = reinterpret_cast<Int>(shifted) - 0x4b400000;
  const Int half = exponent >> 1;
  const Float low = reinterpret_cast<Float>((half + 127) << 23);
  const Float high = reinterpret_cast<Float>((exponent - half + 127) << 23);
  return p * low * high;
}

BN_INLINE Float sigmoid(Float z) { return 1.0F / (1.0F + exponential(-z)); }

template <Activation A>
BN_INLINE Float activate(Float z) {
  if constexpr (A == Activation::kRelu) return z < 0.0F ? Float{} : z;  // NaN passes, so divergence is seen
  if constexpr (A == Activation::kSigmoid) return sigmoid(z);
  return z;
}

// Calls body.template operator()<A>() for the activation.
template <class Body>
BN_INLINE void with_activation(Activation activation, Body body) {
  switch (activation) {
    case Activation::kNone:
      return body.template operator()<Activation::kNone>();
    case Activation::kRelu:
      return body.template operator()<Activation::kRelu>();
    case Activation::kSigmoid:
      return body.template operator()<Activation::kSigmoid>();
  }
}

}  // namespace
}  // namespace bn::cpu::BN_CPU_ISA
