#include "cuda/memory.hpp"

#include <unistd.h>

#include "bn/error.hpp"
#include "cuda/error.hpp"

namespace bn::cuda {

void copy_on_device(const Context& context, void* to, const void* from, int64_t bytes) {
  if (is_only_listed(context, "copy")) return;
  BN_CUDA(cudaMemcpyAsync(to, from, static_cast<size_t>(bytes), cudaMemcpyDeviceToDevice, context.compute));
}

DeviceMemory::DeviceMemory(int64_t bytes) : Memory(bytes) {
  if (bytes == 0) return;
  const cudaError_t status = cudaMalloc(&data_, static_cast<size_t>(bytes));
  if (status == cudaErrorMemoryAllocation) {
    cudaGetLastError();  // the error is handled: later calls must not meet it
    size_t free = 0, total = 0;
    cudaMemGetInfo(&free, &total);
    throw OutOfMemoryError(bytes, static_cast<int64_t>(free), static_cast<int64_t>(total), "The GPU",
                           " Other processes may hold the rest; nvidia-smi shows which.");
  }
  BN_CUDA(status);
}

DeviceMemory::~DeviceMemory() { cudaFree(data_); }

PinnedMemory::PinnedMemory(int64_t bytes) : Memory(bytes) {
  if (bytes == 0) return;
  const cudaError_t status = cudaMallocHost(&data_, static_cast<size_t>(bytes));
  if (status == cudaErrorMemoryAllocation) {
    cudaGetLastError();  // the error is handled: later calls must not meet it
    const int64_t page = sysconf(_SC_PAGESIZE);
    throw OutOfMemoryError(bytes, page * sysconf(_SC_AVPHYS_PAGES), page * sysconf(_SC_PHYS_PAGES),
                           "The host's page-locked memory");
  }
  BN_CUDA(status);
}

PinnedMemory::~PinnedMemory() { cudaFreeHost(data_); }

}  // namespace bn::cuda
