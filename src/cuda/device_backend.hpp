// A CUDA device as a backend, be it present or only described, dispatches from a spec to its implementation and starts
// the updates.
#pragma once

#include <string>
#include <vector>

#include "cuda/context.hpp"
#include "cuda/cuda_kernels.hpp"

namespace bn::cuda {

class DeviceBackend : public virtual Backend {
 public:
  explicit DeviceBackend(const CudaOptions& options);
  DeviceBackend(const DeviceBackend&) = delete;
  DeviceBackend& operator=(const DeviceBackend&) = delete;

  void require(DType activations) const override;
  // A line for each convolution: what it computes, ": ", and its engine's name. Convolutions prepared after
  // repeat_choices() take these engines where they are offered.
  std::string choices() const override;
  void repeat_choices(const std::string& text) override;

  std::unique_ptr<Op> make_op(const OpSpec& spec, const OpDesc& desc) override;
  bool prefers_merged_siblings(DType) const override { return true; }
  int64_t image_row_stride(int64_t channels, DType dtype) const override;
  void pack(std::span<const OpCall> calls) override;
  void unpack(std::span<const OpCall> calls) override;

  void load_images(const Tensor& x, const Tensor& images_u8, const ImageNormalization& normalization) override;
  void sum(const Tensor& dst, const std::vector<Tensor>& srcs) override;
  void update(const ParameterUpdate& all) override;
  void blend(const Tensor& running, const Tensor& batch, const Tensor& factor, const float* weight) override;

  const Context& context() const { return context_; }

 protected:
  Context context_;

 private:
  std::unique_ptr<Op> make_batch_norm(const BatchNorm& spec, const OpDesc& desc) const;

  CudaKernels kernels_{context_};
};

}  // namespace bn::cuda
