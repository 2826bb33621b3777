// Conv2d and SeparableConv2d: one dense convolution, with batch normalisation or a bias folded in where the plan says
// so. The weights of a separable one are composed from its two factors when they are packed, and the gradient of the
// dense weights is split by the chain rule.
#include "cuda/dense_convolution.hpp"
#include "cuda/library_ops.hpp"
#include "cuda/weight_copies.hpp"

namespace bn::cuda {
namespace {

class ConvolutionOp final : public Op {
 public:
  // `separable`: of a SeparableConv2d.
  ConvolutionOp(const Context& context, const ConvolutionWindow& window, const std::optional<Folded>& folded,
                const OpDesc& desc, const std::optional<SeparableLayout>& separable)
      : context_(context),
        separable_(separable),
        convolution_(context, window, folded, desc, separable ? WeightSource::kComposed : WeightSource::kStayInPlace),
        scratch_bytes_(convolution_.scratch_bytes()) {
    if (!separable_) return;
    Regions scratch;
    scratch.add(separable_->outputs * separable_->positions * separable_->inputs * size_of(DType::kF32));
    convolution_scratch_ = scratch.add(convolution_.scratch_bytes());
    scratch_bytes_ = scratch.bytes();
  }

  int64_t scratch_bytes() const override { return scratch_bytes_; }
  int64_t packed_bytes() const override { return convolution_.packed_bytes(); }
  std::string implementation() const override { return convolution_.implementation(); }

  void pack(const OpIo& io) override {
    if (!separable_) return convolution_.pack(io, io.w.at(0).as<const float>(), 1);
    run_or_gather(context_, [this, &io] {
      compose_weights(context_, dense_weights(io), io.w.at(0).as<const float>(), io.w.at(1).as<const float>(),
                      *separable_);
      convolution_.pack(io, dense_weights(io), 2);
    });
  }

  void forward(const OpIo& io) override { convolution_.forward(io, convolution_scratch(io)); }

  void backward(const OpIo& io) override {
    if (!separable_) return convolution_.backward(io.dw.at(0).as<float>(), io, convolution_scratch(io));
    float* dw = dense_weights(io);
    convolution_.backward(dw, io, convolution_scratch(io));
    convolution_.unpack(dw, io);
    split_weight_gradient(context_, io.dw.at(0).as<float>(), io.dw.at(1).as<float>(), dw, io.w.at(0).as<const float>(),
                          io.w.at(1).as<const float>(), *separable_);
  }

  void unpack(const OpIo& io) override {
    if (!separable_) convolution_.unpack(io.dw.at(0).as<float>(), io);
  }

 private:
  // Those of a separable convolution, or their gradient: [o, kh, kw, i].
  static float* dense_weights(const OpIo& io) { return static_cast<float*>(at(io.scratch, 0)); }
  void* convolution_scratch(const OpIo& io) const {
    return separable_ ? at(io.scratch, convolution_scratch_) : io.scratch;
  }

  const Context& context_;
  std::optional<SeparableLayout> separable_;
  DenseConvolution convolution_;
  // scratch: the convolution's; behind the dense weights if they are composed
  int64_t convolution_scratch_ = 0, scratch_bytes_ = 0;
};

template <class Spec>
std::unique_ptr<Op> make(const Context& context, const Spec& spec, const OpDesc& desc,
                         const std::optional<SeparableLayout>& separable) {
  const ConvolutionWindow window{.kernel = spec.kernel, .stride = spec.stride, .pad = spec.pad};
  return std::make_unique<ConvolutionOp>(context, window, spec.folded, desc, separable);
}

}  // namespace

std::unique_ptr<Op> make_conv2d(const Context& context, const Conv2d& spec, const OpDesc& desc) {
  return make(context, spec, desc, std::nullopt);
}

std::unique_ptr<Op> make_separable_conv2d(const Context& context, const SeparableConv2d& spec, const OpDesc& desc) {
  return make(context, spec, desc,
              SeparableLayout{.outputs = spec.out_channels,
                              .positions = spec.kernel * spec.kernel,
                              .inputs = desc.x.at(0).shape.c,
                              .multiplier = spec.depth_multiplier});
}

}  // namespace bn::cuda
