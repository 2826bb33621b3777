// The CUDA backend: memory, transfers and recorded steps.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "cuda/device_backend.hpp"
#include "cuda/exchange.hpp"
#include "cuda/transfer.hpp"

namespace bn::cuda {

class CudaBackend final : public DeviceBackend {
 public:
  explicit CudaBackend(const CudaOptions& options);
  ~CudaBackend() override;

  std::string name() const override;
  std::string computation() const override;
  void enter_thread() override;

  std::unique_ptr<Buffer> allocate(int64_t bytes) override;
  void upload(void* device, const void* host, int64_t bytes) override;
  void download(void* host, const void* device, int64_t bytes) override;
  void zero(void* device, int64_t bytes) override;
  void synchronize() override;

  std::function<void()> record(std::function<void()> work) override;

  std::unique_ptr<Buffer> allocate_host(int64_t bytes) override;
  void finish_loading() override;
  void load_images(const Tensor& x, const Tensor& images_u8, const ImageNormalization& normalization) override;
  std::unique_ptr<Exchange> join(Group& group) override;

 private:
  int device() const { return static_cast<int>(context_.options.device); }

  Group* group_ = nullptr;  // once it has joined one
  Repetition repetition_ = Repetition::kGraph;
  PinnedBuffers pinned_buffers_{context_};
  std::unique_ptr<Buffer> tickets_;
  std::unique_ptr<SmallUploads> small_uploads_;
  std::unique_ptr<ImageUploads> image_uploads_;
};

}  // namespace bn::cuda
