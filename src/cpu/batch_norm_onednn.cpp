// BatchNorm through oneDNN, to compare our own kernels with: one call each way, no fused activation. The [m, c] matrix
// (spatial: m = n*h*w; per-activation: m = n, c = h*w*c) is shown to the library as m images of one pixel.
#include <algorithm>
#include <cstring>

#include "core/op_checks.hpp"
#include "cpu/library_ops.hpp"
#include "cpu/onednn.hpp"

namespace bn::cpu {
namespace {

using NormalizationFlags = dnnl::normalization_flags;

// [m, c]
Shape matrix_shape(const BatchNorm& spec, const Shape& x) {
  const int64_t m = values_per_feature(spec, x);
  return {m, 1, 1, x.elements() / m};
}

class OnednnBatchNorm final : public Op {
 public:
  OnednnBatchNorm(const BatchNorm& spec, const OpDesc& desc)
      : matrix_(matrix_shape(spec, desc.x.at(0).shape)), training_(desc.phase == Phase::kTrain) {
    const auto x = nhwc(desc.x[0].dtype, matrix_);
    const auto affine = NormalizationFlags::use_scale | NormalizationFlags::use_shift;
    const dnnl::batch_normalization_forward::primitive_desc forward = batch_normalization_forward(
        training_ ? dnnl::prop_kind::forward_training : dnnl::prop_kind::forward_inference, x, spec.eps,
        training_ ? affine : affine | NormalizationFlags::use_global_stats, attributes());
    forward_ = PreparedCall(
        forward, {DNNL_ARG_SRC, DNNL_ARG_SCALE, DNNL_ARG_SHIFT, DNNL_ARG_MEAN, DNNL_ARG_VARIANCE, DNNL_ARG_DST});
    scratch_bytes_ = forward_.scratch_bytes();
    if (!desc.has_backward) return;

    const dnnl::batch_normalization_backward::primitive_desc backward =
        batch_normalization_backward(x, spec.eps, affine, attributes(), forward);
    backward_ = PreparedCall(backward, batch_normalization_backward_arguments());
    Regions scratch;
    if (!desc.wants_dx.at(0)) scratch.add(static_cast<int64_t>(x.get_size()));  // the library writes it anyway
    library_scratch_ = scratch.add(backward_.scratch_bytes());
    scratch_bytes_ = std::max(scratch_bytes_, scratch.bytes());
  }

  // The batch's mean and variance: state belongs to whoever blends it.
  int64_t saved_bytes() const override { return backward_.empty() ? 0 : 2 * statistic_bytes(); }
  int64_t scratch_bytes() const override { return scratch_bytes_; }
  std::string implementation() const override { return forward_.implementation(); }

  void forward(const OpIo& io) override {
    forward_.run({{DNNL_ARG_SRC, io.x[0].data},
                  {DNNL_ARG_SCALE, io.w[0].data},
                  {DNNL_ARG_SHIFT, io.w[1].data},
                  {DNNL_ARG_MEAN, io.state[0].data},
                  {DNNL_ARG_VARIANCE, io.state[1].data},
                  {DNNL_ARG_DST, io.y.data}},
                 io.scratch);
    if (backward_.empty()) return;
    std::memcpy(io.saved, io.state[0].data, statistic_bytes());
    std::memcpy(saved_variance(io), io.state[1].data, statistic_bytes());
  }

  void backward(const OpIo& io) override {
    backward_.run({{DNNL_ARG_SRC, io.x[0].data},
                   {DNNL_ARG_DIFF_DST, io.dy.data},
                   {DNNL_ARG_SCALE, io.w[0].data},
                   {DNNL_ARG_SHIFT, io.w[1].data},  // ignored where it is not asked for
                   {DNNL_ARG_MEAN, io.saved},
                   {DNNL_ARG_VARIANCE, saved_variance(io)},
                   {DNNL_ARG_DIFF_SRC, io.dx[0] ? io.dx[0].data : at(io.scratch, 0)},
                   {DNNL_ARG_DIFF_SCALE, io.dw[0].data},
                   {DNNL_ARG_DIFF_SHIFT, io.dw[1].data}},
                  at(io.scratch, library_scratch_));
  }

 private:
  void* saved_variance(const OpIo& io) const { return static_cast<uint8_t*>(io.saved) + statistic_bytes(); }
  int64_t statistic_bytes() const { return matrix_.c * size_of(DType::kF32); }

  Shape matrix_;
  bool training_;
  PreparedCall forward_, backward_;
  int64_t scratch_bytes_ = 0, library_scratch_ = 0;
};

}  // namespace

std::unique_ptr<Op> make_batch_norm_onednn(const BatchNorm& spec, const OpDesc& desc) {
  require_library_batch_norm("oneDNN", spec, desc);
  return std::make_unique<OnednnBatchNorm>(spec, desc);
}

}  // namespace bn::cpu
