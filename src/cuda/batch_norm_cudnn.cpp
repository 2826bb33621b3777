// BatchNorm through cuDNN, to compare our own kernels with: one call each way, no fused activation. Spatial statistics
// by mode SPATIAL, never SPATIAL_PERSISTENT, which bounds the range of values; per-activation ones by PER_ACTIVATION on
// the [n, h*w*c] matrix.
//
// The library gives the batch's variance as an unbiased running average only. With averaging factor 1 that is the
// batch's own, and times (m - 1) / m the biased one; from its saved 1 / sqrt(var + eps) the variance would cancel.
#include <fmt/format.h>

#include "bn/error.hpp"
#include "core/op_checks.hpp"
#include "core/regions.hpp"
#include "cuda/error.hpp"
#include "cuda/kernels/weights.hpp"
#include "cuda/launch.hpp"
#include "cuda/libraries.hpp"
#include "cuda/library_ops.hpp"
#include "cuda/memory.hpp"

namespace bn::cuda {
namespace {

Owned<cudnnTensorDescriptor_t> make_descriptor() {
  cudnnTensorDescriptor_t descriptor = nullptr;
  BN_CUDNN(cudnnCreateTensorDescriptor(&descriptor));
  return Owned<cudnnTensorDescriptor_t>(descriptor);
}

// The shape that the library is shown. Per-activation: images of one pixel.
Shape shape_of(const BatchNorm& spec, const Shape& x) {
  return spec.scope == BatchNormScope::kSpatial ? x : Shape{x.n, 1, 1, x.h * x.w * x.c};
}

class CudnnBatchNorm final : public Op {
 public:
  CudnnBatchNorm(const Context& context, const BatchNorm& spec, const OpDesc& desc)
      : context_(context),
        shape_(shape_of(spec, desc.x.at(0).shape)),
        dtype_(desc.x[0].dtype),
        eps_(spec.eps),
        mode_(spec.scope == BatchNormScope::kSpatial ? CUDNN_BATCHNORM_SPATIAL : CUDNN_BATCHNORM_PER_ACTIVATION),
        phase_(desc.phase),
        has_backward_(desc.has_backward) {
    BN_CUDNN(cudnnSetTensor4dDescriptor(x_.get(), CUDNN_TENSOR_NHWC,
                                        dtype_ == DType::kBf16 ? CUDNN_DATA_BFLOAT16 : CUDNN_DATA_FLOAT,
                                        static_cast<int>(shape_.n), static_cast<int>(shape_.c),
                                        static_cast<int>(shape_.h), static_cast<int>(shape_.w)));
    BN_CUDNN(cudnnDeriveBNTensorDescriptor(columns_.get(), x_.get(), mode_));
    if (has_backward_) {
      mean_offset_ = saved_.add(column_bytes());
      factor_offset_ = saved_.add(column_bytes());
      if (!desc.wants_dx.at(0)) scratch_.add(tensor_bytes());  // the library writes it anyway
    }
    try_once(desc);
  }

  int64_t saved_bytes() const override { return saved_.bytes(); }
  int64_t scratch_bytes() const override { return scratch_.bytes(); }
  std::string implementation() const override {
    return mode_ == CUDNN_BATCHNORM_SPATIAL ? "cudnn: spatial" : "cudnn: per activation";
  }

  void forward(const OpIo& io) override {
    const float *gamma = io.w.at(0).as<const float>(), *beta = io.w.at(1).as<const float>();
    auto *mean = io.state.at(0).as<float>(), *var = io.state.at(1).as<float>();
    if (phase_ == Phase::kEvaluate) {
      BN_CUDNN(cudnnBatchNormalizationForwardInference(context_.cudnn, mode_, &kOne, &kZero, x_.get(), io.x.at(0).data,
                                                       x_.get(), io.y.data, columns_.get(), gamma, beta, mean, var,
                                                       eps_));
      return finish_call();
    }
    // The old value is averaged with weight 0, yet a NaN would stay.
    BN_CUDA(cudaMemsetAsync(mean, 0, static_cast<size_t>(column_bytes()), context_.compute));
    BN_CUDA(cudaMemsetAsync(var, 0, static_cast<size_t>(column_bytes()), context_.compute));
    BN_CUDNN(cudnnBatchNormalizationForwardTraining(context_.cudnn, mode_, &kOne, &kZero, x_.get(), io.x.at(0).data,
                                                    x_.get(), io.y.data, columns_.get(), gamma, beta, 1.0, mean, var,
                                                    eps_, saved(io, mean_offset_), saved(io, factor_offset_)));
    finish_call();
    const auto m = static_cast<double>(shape_.rows());
    scale_values(context_, var, static_cast<float>((m - 1) / m), shape_.c);
  }

  void backward(const OpIo& io) override {
    void* dx = io.dx.at(0) ? io.dx[0].data : at(io.scratch, 0);
    BN_CUDNN(cudnnBatchNormalizationBackward(context_.cudnn, mode_, &kOne, &kZero, &kOne, &kZero, x_.get(),
                                             io.x.at(0).data, x_.get(), io.dy.data, x_.get(), dx, columns_.get(),
                                             io.w.at(0).data, io.dw.at(0).data, io.dw.at(1).data, eps_,
                                             saved(io, mean_offset_), saved(io, factor_offset_)));
    finish_call();
  }

 private:
  static constexpr float kOne = 1.0F, kZero = 0.0F;

  void finish_call() const { after_launch(context_, "of cuDNN's batch normalisation"); }
  int64_t column_bytes() const { return shape_.c * size_of(DType::kF32); }
  int64_t tensor_bytes() const { return shape_.elements() * size_of(dtype_); }
  void* saved(const OpIo& io, int64_t offset) const { return has_backward_ ? at(io.saved, offset) : nullptr; }
  void try_once(const OpDesc& desc);

  const Context& context_;
  Shape shape_;
  DType dtype_;
  double eps_;
  cudnnBatchNormMode_t mode_;
  Phase phase_;
  bool has_backward_;
  Owned<cudnnTensorDescriptor_t> x_ = make_descriptor(), columns_ = make_descriptor();
  Regions saved_, scratch_;
  int64_t mean_offset_ = 0, factor_offset_ = 0;
};

// The library says only when it is called whether it takes a type and a mode.
void CudnnBatchNorm::try_once(const OpDesc& desc) {
  Regions regions;
  const int64_t x = regions.add(tensor_bytes()), y = regions.add(tensor_bytes());
  const int64_t columns[] = {regions.add(column_bytes()), regions.add(column_bytes()), regions.add(column_bytes()),
                             regions.add(column_bytes())};
  const int64_t saved = regions.add(saved_bytes());
  const DeviceMemory owner(regions.bytes());
  void* memory = owner.data();
  BN_CUDA(cudaMemsetAsync(memory, 0, static_cast<size_t>(regions.bytes()), context_.compute));
  const auto column = [&](size_t i) { return dense(at(memory, columns[i]), DType::kF32, vector_shape(shape_.c)); };
  OpIo io;
  io.x = {dense(at(memory, x), dtype_, shape_)};
  io.y = io.dy = dense(at(memory, y), dtype_, shape_);
  io.w = {column(0), column(1)};
  io.dw = io.state = {column(2), column(3)};
  io.dx = {io.y};  // written after dy is read, or not: nobody looks
  io.saved = at(memory, saved);
  try {
    forward(io);
    if (has_backward_) backward(io);
  } catch (const Error& error) {
    throw UnsupportedError(fmt::format("cuDNN has no {} batch normalisation of {} {}: {}",
                                       mode_ == CUDNN_BATCHNORM_SPATIAL ? "spatial" : "per-activation", name_of(dtype_),
                                       to_string(desc.x[0].shape), error.what()));
  }
  BN_CUDA(cudaStreamSynchronize(context_.compute));
}

}  // namespace

std::unique_ptr<Op> make_batch_norm_cudnn(const Context& context, const BatchNorm& spec, const OpDesc& desc) {
  require_library_batch_norm("cuDNN", spec, desc);
  require_activations(desc);
  if (context.described) {
    throw UnsupportedError(
        "batch_norm.implementation cudnn cannot be planned: this part of cuDNN needs its GPU; custom can.");
  }
  return std::make_unique<CudnnBatchNorm>(context, spec, desc);
}

}  // namespace bn::cuda
