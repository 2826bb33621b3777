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

inline void __syncthreads(bn::simt::Where where = {__builtin_FILE(), __builtin_LINE()}) { bn::simt::barrier(where); }

// Blocks and threads take turns, so a plain access is atomic and every write is seen at once.
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
