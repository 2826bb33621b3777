// Convolutions 3x3 of stride 1 by Winograd's F(4x4, 3x3), computed in f32 on maps of either type. A tile of 4x4 outputs
// takes 36 multiplications for each pair of channels, a direct convolution 144. The transforms are our kernels; the 36
// products of matrices, each over many tiles, are oneDNN's.
#pragma once

#include <optional>

#include "cpu/library_ops.hpp"
#include "cpu/winograd_parts.hpp"

namespace bn::cpu {

// Whether it computes such a convolution, of enough channels and tiles to be of use.
bool allows_winograd(const ConvolutionWindow& window, const OpDesc& desc);
// Whether it is quicker than a direct convolution in f32: known from the shape alone.
bool suits_winograd(const ConvolutionWindow& window, const OpDesc& desc);

class WinogradConvolution final : public Convolution {
 public:
  // `folded`: adds a bias and applies the activation; without backward only.
  WinogradConvolution(const ConvolutionWindow& window, const std::optional<Folded>& folded, const OpDesc& desc);

  int64_t packed_bytes() const override { return packed_.bytes(); }
  int64_t scratch_bytes() const override { return scratch_bytes_; }
  std::string implementation() const override { return "winograd_f43"; }

  float* bias(void* packed) const override { return static_cast<float*>(at(packed, bias_offset_)); }
  void pack(void* packed, float* w, void* scratch) override;
  void forward(const OpIo& io) override;
  void backward(float* dw, const OpIo& io, void* scratch) override;

 private:
  bool has_bias_;
  Activation activation_;
  WinogradCorrelation forward_;
  std::optional<WinogradCorrelation> input_gradient_;
  std::optional<WinogradWeightGradient> weight_gradient_;
  Regions packed_;
  int64_t bias_offset_ = 0;
  int64_t after_weights_offset_ = 0, scratch_bytes_ = 0;  // the former in scratch, for the input gradient
};

}  // namespace bn::cpu
