// Stands in for CUDA's header of the same name where kernels run on a CPU (see simt/simulator/kernel.hpp). It has what
// src/cuda and the simulator's own tests use, and what a kernel may well use next, with CUDA's names. Features that
// cannot be simulated faithfully are left out, so that their use does not compile: float atomics (their order is not
// fixed), __activemask, inline PTX, cooperative groups.
#pragma once

#include <math.h>  // kernels call the functions of the global namespace
#include <stddef.h>
#include <stdint.h>

#include <bit>
#include <cstring>
#include <type_traits>

#include "simt/cuda/host.hpp"
#include "simt/cuda/vector_types.hpp"
#include "simt/simulator/kernel.hpp"

#define __global__
#define __device__
#define __host__
#define __constant__ static
#define __forceinline__ inline __attribute__((always_inline))
#define __grid_constant__
#define __launch_bounds__(...)
#define __align__(bytes) __attribute__((aligned(bytes)))
#define __shared__ static_assert(false, "Declare shared memory by BN_SHARED(type, name, [extent]...).");

// The real ones are in src/cuda/kernels/device.hpp.
#define BN_SHARED(type, name, ...)       \
  using name##_array = type __VA_ARGS__; \
  static constinit char name##_key = 0;  \
  name##_array& name = *static_cast<name##_array*>(::bn::simt::static_shared(&name##_key, sizeof(name##_array)))
#define BN_DYNAMIC_SHARED(type, name) type* const name = static_cast<type*>(::bn::simt::dynamic_shared())

inline uint3 threadIdx, blockIdx;
inline dim3 blockDim, gridDim;
constexpr int warpSize = 32;

// Threads that wait for each other.
#define BN_CALLER bn::simt::Where where = {__builtin_FILE(), __builtin_LINE()}

inline void __syncthreads(BN_CALLER) { bn::simt::barrier(where); }

inline void __syncwarp(unsigned mask = 0xffffffffU, BN_CALLER) {
  bn::simt::exchange_in_warp(bn::simt::WarpOp::kSync, mask, 0, 0, where);
}

inline unsigned __ballot_sync(unsigned mask, int predicate, BN_CALLER) {
  return static_cast<unsigned>(
      bn::simt::exchange_in_warp(bn::simt::WarpOp::kVote, mask, predicate != 0 ? 1 : 0, 0, where));
}

inline int __any_sync(unsigned mask, int predicate, BN_CALLER) {
  return __ballot_sync(mask, predicate, where) != 0 ? 1 : 0;
}

inline int __all_sync(unsigned mask, int predicate, BN_CALLER) {
  return __ballot_sync(mask, predicate == 0 ? 1 : 0, where) == 0 ? 1 : 0;
}

namespace bn::simt {
template <class T>
T shuffle(unsigned mask, T value, unsigned source_lane, bn::simt::Where where) {
  static_assert(std::is_trivially_copyable_v<T> && sizeof(T) <= sizeof(uint64_t));
  uint64_t bits = 0;
  std::memcpy(&bits, &value, sizeof(T));
  bits = exchange_in_warp(WarpOp::kShuffle, mask, bits, source_lane, where);
  std::memcpy(&value, &bits, sizeof(T));
  return value;
}
}  // namespace bn::simt

template <class T>
T __shfl_sync(unsigned mask, T value, int source, int width = warpSize, BN_CALLER) {
  const unsigned segment = bn::simt::lane() & ~static_cast<unsigned>(width - 1);
  return bn::simt::shuffle(mask, value, segment | (static_cast<unsigned>(source) & static_cast<unsigned>(width - 1)),
                           where);
}

template <class T>
T __shfl_up_sync(unsigned mask, T value, unsigned delta, int width = warpSize, BN_CALLER) {
  const unsigned lane = bn::simt::lane(), within = lane & static_cast<unsigned>(width - 1);
  return bn::simt::shuffle(mask, value, delta > within ? lane : lane - delta, where);
}

template <class T>
T __shfl_down_sync(unsigned mask, T value, unsigned delta, int width = warpSize, BN_CALLER) {
  const unsigned lane = bn::simt::lane(), within = lane & static_cast<unsigned>(width - 1);
  return bn::simt::shuffle(mask, value, within + delta >= static_cast<unsigned>(width) ? lane : lane + delta, where);
}

template <class T>
T __shfl_xor_sync(unsigned mask, T value, int lane_mask, int width = warpSize, BN_CALLER) {
  const unsigned lane = bn::simt::lane(), source = lane ^ static_cast<unsigned>(lane_mask);
  const unsigned segment_end = (lane & ~static_cast<unsigned>(width - 1)) + static_cast<unsigned>(width);
  return bn::simt::shuffle(mask, value, source >= segment_end ? lane : source, where);
}

// Memory. Blocks and threads take turns, so a plain access is atomic and every write is seen at once.
inline void __threadfence() {}
inline void __threadfence_block() {}

template <class T>
requires std::is_integral_v<T> T atomicAdd(T* address, std::type_identity_t<T> value) {
  const T old = *address;
  *address = static_cast<T>(old + value);
  return old;
}

template <class T>
requires std::is_integral_v<T> T atomicCAS(T* address, std::type_identity_t<T> compare, std::type_identity_t<T> value) {
  const T old = *address;
  if (old == compare) *address = value;
  return old;
}

template <class T>
requires std::is_integral_v<T> T atomicExch(T* address, std::type_identity_t<T> value) {
  const T old = *address;
  *address = value;
  return old;
}

template <class T>
requires std::is_integral_v<T> T atomicMin(T* address, std::type_identity_t<T> value) {
  const T old = *address;
  if (value < old) *address = value;
  return old;
}

template <class T>
requires std::is_integral_v<T> T atomicMax(T* address, std::type_identity_t<T> value) {
  const T old = *address;
  if (old < value) *address = value;
  return old;
}

template <class T>
requires std::is_integral_v<T> T atomicOr(T* address, std::type_identity_t<T> value) {
  const T old = *address;
  *address = old | value;
  return old;
}

// Loads and stores with a hint to the caches.
template <class T>
T __ldg(const T* from) {
  return *from;
}
template <class T>
T __ldcs(const T* from) {
  return *from;
}
template <class T>
T __ldcg(const T* from) {
  return *from;
}
template <class T>
T __ldlu(const T* from) {
  return *from;
}
template <class T>
void __stcs(T* to, std::type_identity_t<T> value) {
  *to = value;
}
template <class T>
void __stcg(T* to, std::type_identity_t<T> value) {
  *to = value;
}

// Bits.
inline unsigned __float_as_uint(float value) { return std::bit_cast<unsigned>(value); }
inline float __uint_as_float(unsigned value) { return std::bit_cast<float>(value); }
inline int __float_as_int(float value) { return std::bit_cast<int>(value); }
inline float __int_as_float(int value) { return std::bit_cast<float>(value); }
inline int __popc(unsigned value) { return std::popcount(value); }
inline int __clz(int value) { return std::countl_zero(static_cast<unsigned>(value)); }
inline int __ffs(int value) { return value == 0 ? 0 : std::countr_zero(static_cast<unsigned>(value)) + 1; }
inline unsigned __umulhi(unsigned a, unsigned b) { return static_cast<unsigned>((uint64_t{a} * b) >> 32); }

// Arithmetic.
inline float rsqrtf(float value) { return 1.0F / sqrtf(value); }
inline float __fmaf_rn(float a, float b, float c) { return fmaf(a, b, c); }
inline float __fadd_rn(float a, float b) { return a + b; }
inline float __fmul_rn(float a, float b) { return a * b; }
inline float __fdiv_rn(float a, float b) { return a / b; }
inline float __fdividef(float a, float b) { return a / b; }
inline float __frcp_rn(float value) { return 1.0F / value; }
inline float __fsqrt_rn(float value) { return sqrtf(value); }
inline float __saturatef(float value) { return value > 0.0F ? (value < 1.0F ? value : 1.0F) : 0.0F; }
// The C library has functions of these names that no program can link.
#define __expf(value) expf(value)
#define __logf(value) logf(value)
#define __log2f(value) log2f(value)
#define __powf(base, exponent) powf(base, exponent)

template <class T>
requires std::is_arithmetic_v<T>
constexpr T min(T a, T b) { return b < a ? b : a; }
template <class T>
requires std::is_arithmetic_v<T>
constexpr T max(T a, T b) { return a < b ? b : a; }

[[noreturn]] inline void __trap() { bn::simt::fault_of_thread("__trap() was called"); }
