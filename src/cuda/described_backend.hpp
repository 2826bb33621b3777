// A GPU that is only described. See PlanningBackend.
#pragma once

#include "bn/cuda_backend.hpp"
#include "cuda/context.hpp"
#include "cuda/cuda_kernels.hpp"

namespace bn::cuda {

class DescribedBackend final : public PlanningBackend {
 public:
  DescribedBackend(const CudaOptions& options, const DeviceDescription& device);
  DescribedBackend(const DescribedBackend&) = delete;
  DescribedBackend& operator=(const DescribedBackend&) = delete;

  const std::vector<std::string>& launches() const override { return launches_; }
  std::vector<PlannedConvolution> convolutions() const override;
  int64_t allocated_bytes() const override { return *allocated_; }
  std::string cudnn_version() const override;

  std::string name() const override;
  void require(DType activations) const override;
  std::string choices() const override;

  std::unique_ptr<Buffer> allocate(int64_t bytes) override;
  void upload(void*, const void*, int64_t) override {}
  [[noreturn]] void download(void* host, const void* device, int64_t bytes) override;
  void zero(void*, int64_t) override { launches_.emplace_back("zero"); }
  void synchronize() override {}

  std::unique_ptr<Op> make_op(const OpSpec& spec, const OpDesc& desc) override;
  bool supports_row_stride(const OpSpec& spec) const override;
  bool supports_fused_activation(const BatchNorm& spec) const override;
  bool prefers_merged_siblings(DType) const override { return true; }
  int64_t image_row_stride(int64_t channels, DType dtype) const override;
  void pack(std::span<const OpCall> calls) override;
  void unpack(std::span<const OpCall> calls) override;
  std::unique_ptr<Recording> record(std::function<void()> work) override;

  void load_images(const Tensor& x, const Tensor& images_u8, const ImageNormalization& normalization) override;
  void sum(const Tensor& dst, const std::vector<Tensor>& srcs) override;
  void sgd_step(const SgdUpdate& update) override;
  void update(const ParameterUpdate& all) override;
  void blend(const Tensor& running, const Tensor& batch, const Tensor& factor, const float* weight) override;

 private:
  std::vector<std::string> launches_;
  std::shared_ptr<int64_t> allocated_ = std::make_shared<int64_t>(0);  // buffers may outlive the backend
  int64_t compute_capability_;
  Context context_;
  CudaKernels kernels_{context_};
};

}  // namespace bn::cuda
