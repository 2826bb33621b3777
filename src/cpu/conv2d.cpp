// Conv2d: a convolution, with batch normalisation or a bias folded in where the plan says so.
#include <utility>

#include "cpu/bfloat16_math.hpp"
#include "cpu/dense_convolution.hpp"
#include "cpu/folding.hpp"
#include "cpu/library_ops.hpp"
#include "cpu/widened.hpp"
#include "cpu/winograd.hpp"

namespace bn::cpu {
namespace {

class Conv2dOp final : public Op {
 public:
  Conv2dOp(std::unique_ptr<Convolution> convolution, const Conv2d& spec, const OpDesc& desc)
      : folded_(spec.folded),
        outputs_(spec.out_channels),
        inputs_(spec.kernel * spec.kernel * desc.x.at(0).shape.c),
        convolution_(std::move(convolution)) {
    Regions scratch;
    if (folded_) scratch.add(outputs_ * inputs_ * size_of(DType::kF32));
    convolution_scratch_ = scratch.add(convolution_->scratch_bytes());
    scratch_bytes_ = scratch.bytes();
  }

  int64_t scratch_bytes() const override { return scratch_bytes_; }
  int64_t packed_bytes() const override { return convolution_->packed_bytes(); }
  std::string implementation() const override { return convolution_->implementation(); }

  void pack(const OpIo& io) override {
    auto* w = io.w.at(0).as<float>();  // [o, kh, kw, i]
    if (!folded_) {
      convolution_->pack(io.packed, w, io.scratch);
      return;
    }
    auto* folded_w = static_cast<float*>(at(io.scratch, 0));
    fold(folded_w, convolution_->bias(io.packed), w, outputs_, inputs_, *folded_, io, 1);
    convolution_->pack(io.packed, folded_w, at(io.scratch, convolution_scratch_));
  }

  void forward(const OpIo& io) override { convolution_->forward(io); }
  void backward(const OpIo& io) override { convolution_->backward(io.dw[0].as<float>(), io, io.scratch); }

 private:
  std::optional<Folded> folded_;
  int64_t outputs_, inputs_;
  std::unique_ptr<Convolution> convolution_;
  int64_t convolution_scratch_ = 0, scratch_bytes_ = 0;  // scratch: [folded weights, the convolution's own]
};

}  // namespace

std::unique_ptr<Op> make_conv2d(const Conv2d& spec, const OpDesc& desc, const CpuOptions& options) {
  const ConvolutionWindow window{.kernel = spec.kernel, .stride = spec.stride, .pad = spec.pad};
  const bool is_in_f32 = desc.x.at(0).dtype == DType::kF32 || is_widened(desc, options);
  if (is_in_f32 && options.winograd && suits_winograd(window, desc)) {
    return make_conv2d(spec, desc, std::make_unique<WinogradConvolution>(window, spec.folded, desc));
  }
  if (is_widened(desc, options)) {
    return make_widened(spec, desc, [&](const OpDesc& chunk) { return make_conv2d(spec, chunk, options); });
  }
  return make_conv2d(spec, desc, std::make_unique<DenseConvolution>(window, spec.folded, desc, options.winograd));
}

std::unique_ptr<Op> make_conv2d(const Conv2d& spec, const OpDesc& desc, std::unique_ptr<Convolution> convolution) {
  return std::make_unique<Conv2dOp>(std::move(convolution), spec, desc);
}

}  // namespace bn::cpu
