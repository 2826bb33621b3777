// Convolutions of stride 1 on AMX, by kernels of our own: bf16 as it is, and f32 as three products of bf16, whose error
// is about f32's own (kernels/amx.cpp).
#pragma once

#include <optional>

#include "cpu/amx_parts.hpp"
#include "cpu/library_ops.hpp"

namespace bn::cpu {

// Whether this machine and the kernels in use have AMX.
bool has_amx();
// Whether it computes such a convolution.
bool allows_amx(const ConvolutionWindow& window, const OpDesc& desc);
// Whether it is quicker than oneDNN's convolution, or Winograd's: known from the shape alone.
bool suits_amx(const ConvolutionWindow& window, const OpDesc& desc);

class AmxConvolution final : public Convolution {
 public:
  // `folded`: adds a bias and applies the activation; without backward only.
  AmxConvolution(const ConvolutionWindow& window, const std::optional<Folded>& folded, const OpDesc& desc);

  int64_t packed_bytes() const override { return packed_.bytes(); }
  int64_t scratch_bytes() const override { return scratch_bytes_; }
  std::string implementation() const override { return implementation_; }

  float* bias(void* packed) const override { return static_cast<float*>(at(packed, bias_offset_)); }
  void pack(void* packed, float* w, void* scratch) override;
  void forward(const OpIo& io) override;
  void backward(float* dw, const OpIo& io, void* scratch) override;

 private:
  std::string implementation_;
  bool has_bias_;
  Activation activation_;
  AmxCorrelation forward_;
  std::optional<AmxCorrelation> input_gradient_;
  std::optional<AmxWeightGradient> weight_gradient_;
  Regions packed_;
  int64_t bias_offset_ = 0, rotated_offset_ = 0, scratch_bytes_ = 0;
};

}  // namespace bn::cpu
