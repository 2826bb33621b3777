// Stands in for CUDA's header of the same name where kernels run on a CPU (see simt/simulator/kernel.hpp). It has what
// src/cuda and the simulator's own tests use, with CUDA's names. Features that cannot be simulated faithfully stay out,
// so that their use does not compile: float atomics (their order is not fixed), __activemask, inline PTX, cooperative
// groups.
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
#define __forceinline__ inline __attribute__((always_inline))
#define __grid_constant__
#define __launch_bounds__(...)
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

template <class T>
requires std::is_integral_v<T> T atomicAdd(T* address, std::type_identity_t<T> value) {
  const T old = *address;
  *address = static_cast<T>(old + value);
  return old;
}

// A load with a hint to the caches.
template <class T>
T __ldcg(const T* from) {
  return *from;
}

inline float __uint_as_float(unsigned value) { return std::bit_cast<float>(value); }
inline float rsqrtf(float value) { return 1.0F / sqrtf(value); }
