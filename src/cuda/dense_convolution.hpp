// A dense convolution through cuDNN, by which Conv2d and SeparableConv2d compute. The library reads ohwi weights in the
// activations' type: exact f32 ones where they lie in Parameters, others from a copy that pack() refreshes, and leaves
// their gradient in that type beside the copy, for unpack(). Images whose rows were widened are taken with the wider
// row as channels, and zero weights for what lies between.
//
// With bf16 activations dw is a sum in f32 that the library rounds to bf16 once, at its end; it is widened to f32 again
// and updates f32 parameters. No precompiled engine gives another type, not on an A100, an H100 or a B200, nor with
// cuDNN 9.19 or 9.28; the one that 9.28 would compile at run time, on an H100, does not divide its sum. One rounding is
// at most 2^-8 of each element; tests/simt/library_ops_test.cpp holds it against what storing x and dy in bf16 has
// cost.
#pragma once

#include <optional>
#include <string>

#include "core/regions.hpp"
#include "cuda/cudnn_graph.hpp"
#include "cuda/folding.hpp"
#include "cuda/kernels/weights.hpp"

namespace bn::cuda {

// Implements Backend::image_row_stride.
int64_t image_row_stride(int64_t channels, DType dtype);

struct ConvolutionWindow {
  int64_t kernel = 1, stride = 1, pad = 0;
};

// kStayInPlace: those of Parameters. kComposed: made anew for each pack(), and gone after it.
enum class WeightSource { kStayInPlace, kComposed };

class DenseConvolution {
 public:
  // `folded`: adds a bias and applies the activation; without backward only.
  DenseConvolution(const Context& context, const ConvolutionWindow& window, const std::optional<Folded>& folded,
                   const OpDesc& desc, WeightSource source);

  int64_t packed_bytes() const { return packed_.bytes(); }
  int64_t scratch_bytes() const { return scratch_bytes_; }
  std::string implementation() const;

  // w: ohwi. io.w holds the folded parameters from index `first` on.
  void pack(const OpIo& io, const float* w, size_t first) const;
  // `scratch`: scratch_bytes(), wherever in io.scratch.
  void forward(const OpIo& io, void* scratch) const;
  // dx is computed where it is wanted. dw, ohwi, is there after unpack().
  void backward(float* dw, const OpIo& io, void* scratch) const;
  void unpack(float* dw, const OpIo& io) const;

 private:
  void prepare_backward(const OpDesc& desc, ConvolutionProblem problem);
  const void* weights(const OpIo& io) const;
  bool unpacks_gradient() const;
  void run(const ConvolutionPlan& plan, void* result, const void* first, const void* second, void* workspace) const;

  const Context& context_;
  WeightLayout layout_;
  DType dtype_;
  WeightSource source_;
  bool keeps_copy_ = false;
  Regions packed_;
  int64_t weights_offset_ = 0;
  Folding folding_;
  ConvolutionPlan forward_, input_gradient_, weight_gradient_;
  int64_t gradient_offset_ = 0;  // an offset in packed
  int64_t scratch_bytes_ = 0;
};

}  // namespace bn::cuda
