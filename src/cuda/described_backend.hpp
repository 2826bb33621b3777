// A GPU that is only described. See PlanningBackend.
#pragma once

#include "bn/cuda_backend.hpp"
#include "cuda/device_backend.hpp"

namespace bn::cuda {

class DescribedBackend final : public DeviceBackend, public PlanningBackend {
 public:
  DescribedBackend(const CudaOptions& options, const DeviceDescription& device);

  const std::vector<std::string>& launches() const override { return launches_; }
  std::vector<PlannedConvolution> convolutions() const override;
  int64_t allocated_bytes() const override { return *allocated_; }
  std::string cudnn_version() const override;

  std::string name() const override;
  std::unique_ptr<Buffer> allocate(int64_t bytes) override;
  void upload(void*, const void*, int64_t) override {}
  [[noreturn]] void download(void* host, const void* device, int64_t bytes) override;
  void zero(void*, int64_t) override { launches_.emplace_back("zero"); }
  void synchronize() override {}

 private:
  std::vector<std::string> launches_;
  std::shared_ptr<int64_t> allocated_ = std::make_shared<int64_t>(0);  // buffers may outlive the backend
  int64_t compute_capability_;
};

}  // namespace bn::cuda
