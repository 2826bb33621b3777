// The state that every op of a device shares: its streams and its size. One compute stream carries all work but the
// copies of images; nothing here synchronises.
#pragma once

#include <cuda_runtime.h>

#include <string>

#include "bn/backend.hpp"
#include "bn/cuda_options.hpp"

struct cudnnContext;
struct cublasLtContext;

namespace bn::cuda {

// BN_SYNC=1: wait for every kernel, so that a fault names its op.
enum class LaunchCheck { kAsynchronous, kSynchronize };

struct Context {
  CudaOptions options{};
  cudaStream_t compute = nullptr;
  cudaStream_t copy = nullptr;
  int multiprocessors = 1;
  std::string device_name{};
  LaunchCheck check = LaunchCheck::kAsynchronous;
  cudnnContext* cudnn = nullptr;  // bound to the compute stream
  cublasLtContext* cublas_lt = nullptr;
};

}  // namespace bn::cuda
