// The only symbol that src/cuda/load.cpp looks up.
#include "cuda/backend.hpp"

extern "C" bn::Backend* bn_make_cuda_backend(const bn::CudaOptions& options) {
  return new bn::cuda::CudaBackend(options);
}
