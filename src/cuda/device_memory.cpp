#include "cuda/device_memory.hpp"

#include "bn/error.hpp"
#include "cuda/error.hpp"

namespace bn::cuda {

void copy_on_device(const Context& context, void* to, const void* from, int64_t bytes) {
  if (is_only_listed(context, "copy")) return;
  BN_CUDA(cudaMemcpyAsync(to, from, static_cast<size_t>(bytes), cudaMemcpyDeviceToDevice, context.compute));
}

DeviceMemory::DeviceMemory(int64_t bytes) : bytes_(bytes) {
  if (bytes == 0) return;
  const cudaError_t status = cudaMalloc(&data_, static_cast<size_t>(bytes));
  if (status == cudaErrorMemoryAllocation) {
    cudaGetLastError();  // the error is handled: later calls must not meet it
    size_t free = 0, total = 0;
    cudaMemGetInfo(&free, &total);
    throw OutOfMemoryError(bytes, static_cast<int64_t>(free), static_cast<int64_t>(total), "The GPU");
  }
  BN_CUDA(status);
}

DeviceMemory::~DeviceMemory() { cudaFree(data_); }

}  // namespace bn::cuda
