// Stands in for CUDA's header of the same name: bf16 is the upper half of an f32, rounded to nearest, ties to even.
#pragma once

#include <cuda_runtime.h>

#include "bn/tensor.hpp"

struct __nv_bfloat16 {
  unsigned short bits;

  __nv_bfloat16() = default;
  explicit __nv_bfloat16(float value) : bits(bn::Bfloat16::from_float(value).bits) {}
  explicit operator float() const { return bn::Bfloat16{bits}.to_float(); }
};

struct alignas(4) __nv_bfloat162 {
  __nv_bfloat16 x, y;
};

inline float __bfloat162float(__nv_bfloat16 value) { return static_cast<float>(value); }
inline __nv_bfloat16 __float2bfloat16_rn(float value) { return __nv_bfloat16(value); }
inline __nv_bfloat162 __floats2bfloat162_rn(float x, float y) { return {__nv_bfloat16(x), __nv_bfloat16(y)}; }
