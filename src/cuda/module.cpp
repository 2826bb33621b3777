// The symbols that src/cuda/load.cpp looks up.
#include "cuda/backend.hpp"
#include "cuda/described_backend.hpp"
#include "cuda/own_device.hpp"

extern "C" bn::Backend* bn_make_cuda_backend(const bn::CudaOptions& options) {
  return new bn::cuda::CudaBackend(options);
}

extern "C" int64_t bn_own_cuda_device(const bn::CudaOptions& options, bn::Group& group) {
  return bn::cuda::own_device(options, group, bn::cuda::visible_devices());
}

extern "C" bn::PlanningBackend* bn_make_planning_cuda_backend(const bn::CudaOptions& options,
                                                              const bn::DeviceDescription& device) {
  return new bn::cuda::DescribedBackend(options, device);
}
