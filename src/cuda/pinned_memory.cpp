#include "cuda/pinned_memory.hpp"

#include <unistd.h>

#include "bn/error.hpp"
#include "cuda/error.hpp"

namespace bn::cuda {

PinnedMemory::PinnedMemory(int64_t bytes) : bytes_(bytes) {
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
