// One macro per library: a failed call becomes an exception that says what failed.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>

namespace bn::cuda {

// Throws Error; a want of memory is reported by DeviceMemory instead.
[[noreturn]] void throw_cuda_error(cudaError_t status, const char* call);

}  // namespace bn::cuda

#define BN_CUDA(call)                                                             \
  do {                                                                            \
    const cudaError_t bn_status = (call);                                         \
    if (bn_status != cudaSuccess) ::bn::cuda::throw_cuda_error(bn_status, #call); \
  } while (false)
