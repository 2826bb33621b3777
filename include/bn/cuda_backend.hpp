// The backend on an NVIDIA GPU: cuDNN, cuBLASLt and our own kernels, in a module that is loaded when it is asked for.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "bn/backend.hpp"
#include "bn/backend_options.hpp"
#include "bn/group.hpp"

namespace bn {

// Throws UnsupportedError where there is no usable GPU, driver or cuDNN, or where the build has no CUDA.
std::unique_ptr<Backend> make_cuda_backend(const CudaOptions& options);
// Every process of the group calls it. Of those that see the same GPUs the k-th, from 0, takes GPU options.device + k.
// Throws an AgreedError, also where they are more than the GPUs.
std::unique_ptr<Backend> make_cuda_backend(const CudaOptions& options, Group& group);
// The library that the module was built for: "cuDNN 9.19.0"; "" where the build has no CUDA.
std::string cuda_library();

// A GPU that is described instead of present, so that a program can plan for it anywhere.
struct DeviceDescription {
  std::string name{};
  int64_t compute_capability = 0;  // 90 for 9.0
  int64_t multiprocessors = 0;
  int64_t memory_bytes = 0;
  std::string json{};  // all that cuDNN asks of a device, one JSON object
};

// Reads a file like experiments/benchmarks/gpu_model/devices/h100.json. Throws DataError.
DeviceDescription read_device_description(const std::string& path);

// A convolution, or one of its gradients, as cuDNN would compute it.
struct PlannedConvolution {
  std::string problem{};  // "forward 3x3/1 pad 1 bf16 32x28x28x64 to 32x28x28x96"
  std::string engine{};   // cuDNN's name for it
  int64_t workspace_bytes = 0;
  std::vector<std::string> notes{};  // cuDNN's remarks on the engine: "tensor cores", "not deterministic", ...
};

// The same backend for a GPU that is only described: it prepares every op as it would be there, counts the memory, and
// lists what would be started. Nothing runs, and nothing can be read back.
class PlanningBackend : public virtual Backend {
 public:
  // Names what the ops and updates that were called would have started, in order: kernels, "cudnn", "cublasLt", "copy".
  virtual const std::vector<std::string>& launches() const = 0;
  virtual std::vector<PlannedConvolution> convolutions() const = 0;  // the distinct ones, by their problems
  virtual int64_t allocated_bytes() const = 0;
  virtual std::string cudnn_version() const = 0;
};

// Needs cuDNN 9.8 or newer, and neither a GPU nor a driver. Throws UnsupportedError, and DataError for a description
// that cuDNN does not accept.
std::unique_ptr<PlanningBackend> make_planning_cuda_backend(const CudaOptions& options,
                                                            const DeviceDescription& device);

}  // namespace bn
