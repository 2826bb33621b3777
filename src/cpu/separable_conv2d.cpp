// SeparableConv2d as one dense convolution: its weights are composed from the two factors when they are packed, and the
// gradient of the dense weights is split by the chain rule. With i2 = i * multiplier + k:
//   W[o, kh, kw, i]   = sum_k w1[o, i2] * w0[kh, kw, i, k]
//   dw1[o, i2]        = sum_{kh, kw} dW[o, kh, kw, i] * w0[kh, kw, i, k]
//   dw0[kh, kw, i, k] = sum_o dW[o, kh, kw, i] * w1[o, i2]
#include <algorithm>

#include "cpu/dense_convolution.hpp"
#include "cpu/folding.hpp"
#include "cpu/library_ops.hpp"

namespace bn::cpu {
namespace {

class SeparableConv2dOp final : public Op {
 public:
  SeparableConv2dOp(const SeparableConv2d& spec, const OpDesc& desc)
      : folded_(spec.folded),
        outputs_(spec.out_channels),
        area_(spec.kernel * spec.kernel),
        inputs_(desc.x.at(0).shape.c),
        multiplier_(spec.depth_multiplier),
        convolution_({.kernel = spec.kernel, .stride = spec.stride, .pad = spec.pad}, spec.folded, desc) {
    Regions scratch;
    scratch.add(convolution_.weight_bytes());
    convolution_scratch_ = scratch.add(convolution_.scratch_bytes());
    scratch_bytes_ = scratch.bytes();
  }

  int64_t scratch_bytes() const override { return scratch_bytes_; }
  int64_t packed_bytes() const override { return convolution_.packed_bytes(); }
  std::string implementation() const override { return convolution_.implementation(); }

  void pack(const OpIo& io) override {
    auto* w = static_cast<float*>(at(io.scratch, 0));  // [o, kh, kw, i]
    compose(w, io.w.at(0).as<const float>(), io.w.at(1).as<const float>());
    if (folded_) fold(w, convolution_.bias(io.packed), w, outputs_, area_ * inputs_, *folded_, io, 2);
    convolution_.pack(io.packed, w, at(io.scratch, convolution_scratch_));
  }

  void forward(const OpIo& io) override { convolution_.forward(io); }

  void backward(const OpIo& io) override {
    auto* dw = static_cast<float*>(at(io.scratch, 0));  // [o, kh, kw, i]
    convolution_.backward(dw, io, at(io.scratch, convolution_scratch_));
    split(io.dw[0].as<float>(), io.dw[1].as<float>(), dw, io.w[0].as<const float>(), io.w[1].as<const float>());
  }

 private:
  void compose(float* w, const float* w0, const float* w1) const {
    for (int64_t o = 0; o < outputs_; ++o) {
      for (int64_t position = 0; position < area_; ++position) {
        for (int64_t i = 0; i < inputs_; ++i) {
          const float* depthwise = w0 + (position * inputs_ + i) * multiplier_;
          const float* pointwise = w1 + (o * inputs_ + i) * multiplier_;
          float sum = 0;
          for (int64_t k = 0; k < multiplier_; ++k) sum += pointwise[k] * depthwise[k];
          *w++ = sum;
        }
      }
    }
  }

  void split(float* dw0, float* dw1, const float* dw, const float* w0, const float* w1) const {
    std::fill_n(dw0, area_ * inputs_ * multiplier_, 0.0F);
    std::fill_n(dw1, outputs_ * inputs_ * multiplier_, 0.0F);
    for (int64_t o = 0; o < outputs_; ++o) {
      for (int64_t position = 0; position < area_; ++position) {
        for (int64_t i = 0; i < inputs_; ++i) {
          const float gradient = *dw++;
          const int64_t depthwise = (position * inputs_ + i) * multiplier_, pointwise = (o * inputs_ + i) * multiplier_;
          for (int64_t k = 0; k < multiplier_; ++k) {
            dw0[depthwise + k] += gradient * w1[pointwise + k];
            dw1[pointwise + k] += gradient * w0[depthwise + k];
          }
        }
      }
    }
  }

  std::optional<Folded> folded_;
  int64_t outputs_, area_, inputs_, multiplier_;
  DenseConvolution convolution_;
  int64_t convolution_scratch_ = 0,
          scratch_bytes_ = 0;  // scratch: [dense weights or their gradient, convolution's own]
};

}  // namespace

std::unique_ptr<Op> make_separable_conv2d(const SeparableConv2d& spec, const OpDesc& desc) {
  return std::make_unique<SeparableConv2dOp>(spec, desc);
}

}  // namespace bn::cpu
