// The device behind the CUDA runtime's functions: memory, and streams that do everything at once unless they record, or
// as late as they may where a test wants that.
#pragma once

#include <cuda_runtime.h>

#include <functional>

#include "simt/simulator/kernel.hpp"

namespace bn::simt {

constexpr int kMultiprocessors = 3;               // few: blocks then have more than one turn of work
constexpr size_t kDeviceBytes = size_t{1} << 30;  // more is out of memory

enum class Streams { kAtOnce, kAsLateAsAllowed };

// The machine as tests want it.
struct Machine {
  int driver_version = CUDART_VERSION;  // 0: no driver
  int devices = 1;
  bool has_kernels = true;                 // compiled for it
  size_t host_bytes = size_t{1} << 30;     // so many can be page-locked at once
  cudaError_t driver_error = cudaSuccess;  // returned when the driver is asked for
  cudaError_t start_error = cudaSuccess;   // returned by the first use of a device
  cudaError_t fault = cudaSuccess;         // returned by waiting for the device
  Streams streams = Streams::kAtOnce;
};
Machine& machine();

// Does the work of launch(): runs the kernel, or records it.
void submit(cudaStream_t stream, const void* kernel, const char* name, const GridShape& shape,
            std::function<void()> thread);

// Work of the host in the stream's order: done at once, or recorded.
void enqueue(cudaStream_t stream, std::function<void()> work);

// Throws Fault if something was written beside an allocation.
void require_device_memory_intact(const char* kernel);

}  // namespace bn::simt
