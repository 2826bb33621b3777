// The parts that kernels share: one thread for each item, 16-byte accesses as floats, and the dispatch from a type to a
// template. Kernels keep to the features that tests/simt can run on a CPU: no inline PTX, no cooperative groups,
// nothing across blocks but a second kernel or the last of the blocks (last_block.hpp).
#pragma once

#include <cuda_bf16.h>
#include <cuda_runtime.h>

#include <cstdint>

#include "bn/tensor.hpp"
#include "cuda/launch.hpp"

// Shared memory, declared so that tests/simt can see each array: BN_SHARED(float, sums, [8][32]);
#ifndef BN_SHARED
#define BN_SHARED(type, name, ...) __shared__ type name __VA_ARGS__
#define BN_DYNAMIC_SHARED(type, name) extern __shared__ type name[]
#endif

namespace bn::cuda {

// Kernels of one thread per item: an element, a pixel, or a group of them.
constexpr int kThreads = 256;

inline Grid grid_of(int64_t items) {
  return {.x = static_cast<unsigned>((items + kThreads - 1) / kThreads), .threads = kThreads};
}

__device__ __forceinline__ int64_t item_index() { return static_cast<int64_t>(blockIdx.x) * kThreads + threadIdx.x; }

// item / by. A division of 32 bits takes a fraction of the time of 64, and suffices for all but the largest batches.
__device__ __forceinline__ int64_t divide(int64_t item, int64_t by) {
  return (item | by) <= UINT32_MAX ? static_cast<uint32_t>(item) / static_cast<uint32_t>(by) : item / by;
}

// Elements of one access: one, or as many as fill 16 bytes.
enum class Lanes { kOne, kWide };

inline bool is_aligned(const void* pointer) { return reinterpret_cast<uintptr_t>(pointer) % 16 == 0; }

// kWide elements fill 16 bytes.
template <class T>
struct Element;
template <>
struct Element<float> {
  static constexpr int kWide = 4;
};
template <>
struct Element<__nv_bfloat16> {
  static constexpr int kWide = 8;
};

// Lanes elements as they lie in memory: one access.
template <class T, int Lanes>
struct Packet {
  T element;
};
template <>
struct Packet<float, 4> {
  float4 words;
};
template <>
struct Packet<__nv_bfloat16, 8> {
  uint4 words;
};

template <class T, int Lanes>
__device__ __forceinline__ Packet<T, Lanes> load_packet(const T* from) {
  return *reinterpret_cast<const Packet<T, Lanes>*>(from);
}

__device__ __forceinline__ void to_floats(float (&to)[1], const Packet<float, 1>& from) { to[0] = from.element; }
__device__ __forceinline__ void to_floats(float (&to)[1], const Packet<__nv_bfloat16, 1>& from) {
  to[0] = __bfloat162float(from.element);
}
__device__ __forceinline__ void to_floats(float (&to)[4], const Packet<float, 4>& from) {
  to[0] = from.words.x, to[1] = from.words.y, to[2] = from.words.z, to[3] = from.words.w;
}
__device__ __forceinline__ void to_floats(float (&to)[8], const Packet<__nv_bfloat16, 8>& from) {
  const uint32_t words[4] = {from.words.x, from.words.y, from.words.z, from.words.w};
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    to[2 * i] = __uint_as_float(words[i] << 16);
    to[2 * i + 1] = __uint_as_float(words[i] & 0xffff0000U);
  }
}

__device__ __forceinline__ void store(float* to, const float (&from)[1]) { *to = from[0]; }
__device__ __forceinline__ void store(__nv_bfloat16* to, const float (&from)[1]) { *to = __float2bfloat16_rn(from[0]); }
__device__ __forceinline__ void store(float* to, const float (&from)[4]) {
  *reinterpret_cast<float4*>(to) = make_float4(from[0], from[1], from[2], from[3]);
}
__device__ __forceinline__ uint32_t two_bf16(float low, float high) {
  const __nv_bfloat162 pair = __floats2bfloat162_rn(low, high);
  return *reinterpret_cast<const uint32_t*>(&pair);
}
__device__ __forceinline__ void store(__nv_bfloat16* to, const float (&from)[8]) {
  *reinterpret_cast<uint4*>(to) = make_uint4(two_bf16(from[0], from[1]), two_bf16(from[2], from[3]),
                                             two_bf16(from[4], from[5]), two_bf16(from[6], from[7]));
}

template <class T, int Lanes>
__device__ __forceinline__ void load(float (&to)[Lanes], const T* from) {
  to_floats(to, load_packet<T, Lanes>(from));
}

template <class T>
__device__ __forceinline__ float element(const T* from) {
  float value[1];
  load<T, 1>(value, from);
  return value[0];
}

// Lanes f32 values of a column array, which need not start on 16 bytes: once a thread, for many rows.
template <int Lanes>
__device__ __forceinline__ void load_columns(float (&to)[Lanes], const float* from) {
#pragma unroll
  for (int i = 0; i < Lanes; ++i) to[i] = from[i];
}

// Calls f.template operator()<element type, lanes>().
template <class F>
void dispatch(DType dtype, Lanes lanes, const F& f) {
  if (dtype == DType::kBf16) {
    lanes == Lanes::kWide ? f.template operator()<__nv_bfloat16, 8>() : f.template operator()<__nv_bfloat16, 1>();
  } else {
    lanes == Lanes::kWide ? f.template operator()<float, 4>() : f.template operator()<float, 1>();
  }
}

}  // namespace bn::cuda
