// The CUDA backend: memory, transfers, recorded steps, and the dispatch from a spec to its implementation.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "cuda/context.hpp"
#include "cuda/cuda_kernels.hpp"
#include "cuda/exchange.hpp"
#include "cuda/transfer.hpp"

namespace bn::cuda {

class CudaBackend final : public Backend {
 public:
  explicit CudaBackend(const CudaOptions& options);
  ~CudaBackend() override;
  CudaBackend(const CudaBackend&) = delete;
  CudaBackend& operator=(const CudaBackend&) = delete;

  std::string name() const override;
  std::string computation() const override;
  void enter_thread() override;
  void require(DType activations) const override;
  std::string choices() const override;
  void repeat_choices(const std::string& text) override;

  std::unique_ptr<Buffer> allocate(int64_t bytes) override;
  void upload(void* device, const void* host, int64_t bytes) override;
  void download(void* host, const void* device, int64_t bytes) override;
  void zero(void* device, int64_t bytes) override;
  void synchronize() override;

  std::unique_ptr<Op> make_op(const OpSpec& spec, const OpDesc& desc) override;
  bool supports_row_stride(const OpSpec& spec) const override;
  bool supports_fused_activation(const BatchNorm& spec) const override;
  bool prefers_merged_siblings(DType) const override { return true; }
  int64_t image_row_stride(int64_t channels, DType dtype) const override;
  void pack(std::span<const OpCall> calls) override;
  void unpack(std::span<const OpCall> calls) override;
  std::unique_ptr<Recording> record(std::function<void()> work) override;

  std::unique_ptr<Buffer> allocate_host(int64_t bytes) override;
  void finish_loading() override;
  void load_images(const Tensor& x, const Tensor& images_u8, const ImageNormalization& normalization) override;
  void sum(const Tensor& dst, const std::vector<Tensor>& srcs) override;
  void sgd_step(const SgdUpdate& update) override;
  void update(const ParameterUpdate& all) override;
  void blend(const Tensor& running, const Tensor& batch, const Tensor& factor, const float* weight) override;
  std::unique_ptr<Exchange> join(Group& group) override;

  const Context& context() const { return context_; }

 private:
  int device() const { return static_cast<int>(context_.options.device); }

  Context context_;
  Group* group_ = nullptr;  // once it has joined one
  Repetition repetition_ = Repetition::kGraph;
  CudaKernels kernels_{context_};
  PinnedBuffers pinned_buffers_{context_};
  std::unique_ptr<Buffer> tickets_;
  std::unique_ptr<SmallUploads> small_uploads_;
  std::unique_ptr<ImageUploads> image_uploads_;
};

}  // namespace bn::cuda
