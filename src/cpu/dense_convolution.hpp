// A dense convolution through oneDNN, by which Conv2d and SeparableConv2d compute. Activations stay NHWC; the weights
// are repacked from ohwi into the layout that each direction's kernel asks for (with plain ohwi the library falls to
// its reference loops), and weight gradients are computed in the kernel's layout, in f32, and reordered to ohwi.
#pragma once

#include <optional>
#include <string>

#include "cpu/library_ops.hpp"
#include "cpu/onednn.hpp"
#include "cpu/winograd.hpp"

namespace bn::cpu {

bool is_pointwise(const ConvolutionWindow& window);  // 1x1, stride 1, no padding

// A pointwise convolution takes pixels one by one, so they may as well be one image's: oneDNN is at its slowest on
// small ones. Other convolutions: `shape` itself.
Shape as_one_image(const ConvolutionWindow& window, const Shape& shape);

class DenseConvolution final : public Convolution {
 public:
  // `folded`: adds a bias and applies the activation; without backward only.
  DenseConvolution(const ConvolutionWindow& window, const std::optional<Folded>& folded, const OpDesc& desc);

  int64_t packed_bytes() const override { return packed_.bytes(); }
  int64_t scratch_bytes() const override { return scratch_bytes_; }
  std::string implementation() const override { return forward_.implementation(); }

  float* bias(void* packed) const override { return static_cast<float*>(at(packed, bias_offset_)); }
  void pack(void* packed, float* w, void* scratch) override;
  void forward(const OpIo& io) override;
  void backward(float* dw, const OpIo& io, void* scratch) override;

 private:
  void prepare_input_gradient(const dnnl::convolution_forward::primitive_desc& forward, const ConvolutionWindow& window,
                              const OpDesc& desc);
  void prepare_weight_gradient(const dnnl::convolution_forward::primitive_desc& forward,
                               const ConvolutionWindow& window, const OpDesc& desc);

  dnnl::memory::desc x_, y_, plain_w_;
  dnnl::memory::dims stride_, pad_;
  bool has_bias_ = false;
  PreparedCall forward_, backward_data_, backward_weights_;
  int dy_argument_ = DNNL_ARG_DIFF_DST, dx_argument_ = DNNL_ARG_DIFF_SRC;  // of backward_data_
  PreparedCall pack_forward_, pack_backward_, unpack_dw_;
  Regions packed_;
  int64_t bias_offset_ = 0, backward_w_offset_ = 0;
  int64_t after_dw_offset_ = 0;  // an offset in backward's scratch
  int64_t scratch_bytes_ = 0;
};

}  // namespace bn::cpu
