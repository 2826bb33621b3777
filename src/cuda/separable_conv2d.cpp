// SeparableConv2d as one dense convolution: its weights are composed from the two factors when they are packed, and
// the gradient of the dense weights is split by the chain rule.
#include <algorithm>

#include "cuda/dense_convolution.hpp"
#include "cuda/library_ops.hpp"
#include "cuda/weight_copies.hpp"

namespace bn::cuda {
namespace {

class SeparableConv2dOp final : public Op {
 public:
  SeparableConv2dOp(const Context& context, const SeparableConv2d& spec, const OpDesc& desc)
      : context_(context),
        layout_{.outputs = spec.out_channels,
                .positions = spec.kernel * spec.kernel,
                .inputs = desc.x.at(0).shape.c,
                .multiplier = spec.depth_multiplier},
        convolution_(context, {.kernel = spec.kernel, .stride = spec.stride, .pad = spec.pad}, spec.folded, desc,
                     WeightSource::kComposed) {
    Regions scratch;
    scratch.add(convolution_.weight_bytes());
    convolution_scratch_ = scratch.add(convolution_.scratch_bytes());
    scratch_bytes_ = scratch.bytes();
  }

  int64_t scratch_bytes() const override { return scratch_bytes_; }
  int64_t packed_bytes() const override { return convolution_.packed_bytes(); }
  std::string implementation() const override { return convolution_.implementation(); }

  void pack(const OpIo& io) override {
    run_or_gather(context_, [this, &io] {
      auto* w = static_cast<float*>(at(io.scratch, 0));  // [o, kh, kw, i]
      compose_weights(context_, w, io.w.at(0).as<const float>(), io.w.at(1).as<const float>(), layout_);
      convolution_.pack(io, w, 2);
    });
  }

  void forward(const OpIo& io) override { convolution_.forward(io, at(io.scratch, convolution_scratch_)); }

  void backward(const OpIo& io) override {
    auto* dw = static_cast<float*>(at(io.scratch, 0));  // [o, kh, kw, i]
    convolution_.backward(dw, io, at(io.scratch, convolution_scratch_));
    convolution_.unpack(dw, io);
    split_weight_gradient(context_, io.dw.at(0).as<float>(), io.dw.at(1).as<float>(), dw, io.w.at(0).as<const float>(),
                          io.w.at(1).as<const float>(), layout_);
  }

 private:
  const Context& context_;
  SeparableLayout layout_;
  DenseConvolution convolution_;
  int64_t convolution_scratch_ = 0, scratch_bytes_ = 0;  // scratch: [dense weights or their gradient, convolution's]
};

}  // namespace

std::unique_ptr<Op> make_separable_conv2d(const Context& context, const SeparableConv2d& spec, const OpDesc& desc) {
  return std::make_unique<SeparableConv2dOp>(context, spec, desc);
}

}  // namespace bn::cuda
