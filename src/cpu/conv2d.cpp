// Conv2d and SeparableConv2d: one convolution, with batch normalisation or a bias folded in where the plan says so. The
// weights of a separable one are composed from its two factors when they are packed, and the gradient of the dense
// weights is split by the chain rule. With i2 = i * multiplier + k:
//   W[o, kh, kw, i]   = sum_k w1[o, i2] * w0[kh, kw, i, k]
//   dw1[o, i2]        = sum_{kh, kw} dW[o, kh, kw, i] * w0[kh, kw, i, k]
//   dw0[kh, kw, i, k] = sum_o dW[o, kh, kw, i] * w1[o, i2]
#include <algorithm>
#include <utility>

#include "cpu/amx.hpp"
#include "cpu/bfloat16_math.hpp"
#include "cpu/dense_convolution.hpp"
#include "cpu/library_ops.hpp"
#include "cpu/widened.hpp"
#include "cpu/winograd.hpp"

namespace bn::cpu {
namespace {

struct SeparableLayout {
  int64_t outputs = 1, positions = 1, inputs = 1, multiplier = 1;
};

void compose(float* w, const float* w0, const float* w1, const SeparableLayout& layout) {
  for (int64_t o = 0; o < layout.outputs; ++o) {
    for (int64_t position = 0; position < layout.positions; ++position) {
      for (int64_t i = 0; i < layout.inputs; ++i) {
        const float* depthwise = w0 + (position * layout.inputs + i) * layout.multiplier;
        const float* pointwise = w1 + (o * layout.inputs + i) * layout.multiplier;
        float sum = 0;
        for (int64_t k = 0; k < layout.multiplier; ++k) sum += pointwise[k] * depthwise[k];
        *w++ = sum;
      }
    }
  }
}

void split(float* dw0, float* dw1, const float* dw, const float* w0, const float* w1, const SeparableLayout& layout) {
  std::fill_n(dw0, layout.positions * layout.inputs * layout.multiplier, 0.0F);
  std::fill_n(dw1, layout.outputs * layout.inputs * layout.multiplier, 0.0F);
  for (int64_t o = 0; o < layout.outputs; ++o) {
    for (int64_t position = 0; position < layout.positions; ++position) {
      for (int64_t i = 0; i < layout.inputs; ++i) {
        const float gradient = *dw++;
        const int64_t depthwise = (position * layout.inputs + i) * layout.multiplier;
        const int64_t pointwise = (o * layout.inputs + i) * layout.multiplier;
        for (int64_t k = 0; k < layout.multiplier; ++k) {
          dw0[depthwise + k] += gradient * w1[pointwise + k];
          dw1[pointwise + k] += gradient * w0[depthwise + k];
        }
      }
    }
  }
}

class ConvolutionOp final : public Op {
 public:
  // `separable`: of a SeparableConv2d.
  ConvolutionOp(std::unique_ptr<Convolution> convolution, const std::optional<Folded>& folded,
                const std::optional<SeparableLayout>& separable, int64_t outputs, int64_t inputs)
      : convolution_(std::move(convolution)),
        folded_(folded),
        separable_(separable),
        outputs_(outputs),
        inputs_(inputs) {
    Regions scratch;
    if (folded_ || separable_) scratch.add(outputs_ * inputs_ * size_of(DType::kF32));
    convolution_scratch_ = scratch.add(convolution_->scratch_bytes());
    scratch_bytes_ = scratch.bytes();
  }

  int64_t scratch_bytes() const override { return scratch_bytes_; }
  int64_t packed_bytes() const override { return convolution_->packed_bytes(); }
  std::string implementation() const override { return convolution_->implementation(); }

  void pack(const OpIo& io) override {
    auto* w = io.w.at(0).as<float>();                     // [o, kh, kw, i]
    auto* made = static_cast<float*>(at(io.scratch, 0));  // of the same layout
    if (separable_) {
      compose(made, w, io.w.at(1).as<const float>(), *separable_);
      w = made;
    }
    if (folded_) {
      fold(made, convolution_->bias(io.packed), w, outputs_, inputs_, *folded_, io, separable_ ? 2 : 1);
      w = made;
    }
    convolution_->pack(io.packed, w, at(io.scratch, convolution_scratch_));
  }

  void forward(const OpIo& io) override { convolution_->forward(io); }

  void backward(const OpIo& io) override {
    void* scratch = at(io.scratch, convolution_scratch_);
    if (!separable_) return convolution_->backward(io.dw[0].as<float>(), io, scratch);
    auto* dw = static_cast<float*>(at(io.scratch, 0));  // [o, kh, kw, i]
    convolution_->backward(dw, io, scratch);
    split(io.dw[0].as<float>(), io.dw[1].as<float>(), dw, io.w[0].as<const float>(), io.w[1].as<const float>(),
          *separable_);
  }

 private:
  std::unique_ptr<Convolution> convolution_;
  std::optional<Folded> folded_;
  std::optional<SeparableLayout> separable_;
  int64_t outputs_, inputs_;  // the dense weights are [outputs, inputs]
  // scratch: [folded or composed weights, or the latter's gradient; the convolution's own]
  int64_t convolution_scratch_ = 0, scratch_bytes_ = 0;
};

}  // namespace

std::unique_ptr<Op> make_conv2d(const Conv2d& spec, const OpDesc& desc, const CpuOptions& options) {
  const ConvolutionWindow window{.kernel = spec.kernel, .stride = spec.stride, .pad = spec.pad};
  const bool widens = is_widened(desc, options);
  if (options.amx && !widens && has_amx() && suits_amx(window, desc)) {
    return make_conv2d(spec, desc, std::make_unique<AmxConvolution>(window, spec.folded, desc));
  }
  const bool is_in_f32 = desc.x.at(0).dtype == DType::kF32 || widens;
  if (is_in_f32 && options.winograd && suits_winograd(window, desc)) {
    return make_conv2d(spec, desc, std::make_unique<WinogradConvolution>(window, spec.folded, desc));
  }
  if (widens) {
    CpuOptions in_f32 = options;
    in_f32.amx = false;  // who asks for products of f32 does not mean three of bf16
    return make_widened(spec, desc, [&](const OpDesc& chunk) { return make_conv2d(spec, chunk, in_f32); });
  }
  return make_conv2d(spec, desc, std::make_unique<DenseConvolution>(window, spec.folded, desc));
}

std::unique_ptr<Op> make_conv2d(const Conv2d& spec, const OpDesc& desc, std::unique_ptr<Convolution> convolution) {
  return std::make_unique<ConvolutionOp>(std::move(convolution), spec.folded, std::nullopt, spec.out_channels,
                                         spec.kernel * spec.kernel * desc.x.at(0).shape.c);
}

std::unique_ptr<Op> make_separable_conv2d(const SeparableConv2d& spec, const OpDesc& desc) {
  const SeparableLayout layout{.outputs = spec.out_channels,
                               .positions = spec.kernel * spec.kernel,
                               .inputs = desc.x.at(0).shape.c,
                               .multiplier = spec.depth_multiplier};
  const ConvolutionWindow window{.kernel = spec.kernel, .stride = spec.stride, .pad = spec.pad};
  return std::make_unique<ConvolutionOp>(std::make_unique<DenseConvolution>(window, spec.folded, desc), spec.folded,
                                         layout, layout.outputs, layout.positions * layout.inputs);
}

}  // namespace bn::cpu
