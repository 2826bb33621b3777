// The state that every op of a device shares: its streams, its size, and what was prepared for it. One compute stream
// carries all work but the copies of images; nothing here synchronises.
#pragma once

#include <cuda_runtime.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "bn/backend.hpp"
#include "bn/backend_options.hpp"

struct cudnnContext;
struct cublasLtContext;
namespace cudnn_frontend {
class DeviceProperties;
}

namespace bn::cuda {

// BN_SYNC=1: wait for every kernel, so that a fault names its op.
enum class LaunchCheck { kAsynchronous, kSynchronize };

struct PreparedConvolution;
struct WeightCopies;

// The convolutions of a device by what they compute (describe(ConvolutionProblem)): each is prepared once.
struct Convolutions {
  std::map<std::string, std::shared_ptr<const PreparedConvolution>> prepared{};
  std::map<std::string, std::string> chosen{};  // engines
  std::map<std::string, std::string> wanted{};  // engines that an earlier process chose
};

struct Context {
  CudaOptions options{};
  cudaStream_t compute = nullptr;
  cudaStream_t copy = nullptr;
  int multiprocessors = 1;
  std::string device_name{};
  LaunchCheck check = LaunchCheck::kAsynchronous;
  cudnnContext* cudnn = nullptr;  // bound to the compute stream
  cublasLtContext* cublas_lt = nullptr;
  std::shared_ptr<Convolutions> convolutions = std::make_shared<Convolutions>();
  std::shared_ptr<WeightCopies> weight_copies{};
  unsigned* tickets = nullptr;  // the compute stream's kernels count in them and leave zeros (kernels/last_block.hpp)

  // Where the device is only described, nothing runs: what would be started is listed.
  std::shared_ptr<const cudnn_frontend::DeviceProperties> described{};
  std::vector<std::string>* launches = nullptr;
};

// True, with a line in the list, where nothing runs.
inline bool is_only_listed(const Context& context, const char* work) {
  if (context.launches == nullptr) return false;
  context.launches->emplace_back(work);
  return true;
}

}  // namespace bn::cuda
