#include "cuda/dense_convolution.hpp"

#include <algorithm>

#include "bn/error.hpp"
#include "core/op_checks.hpp"
#include "cuda/launch.hpp"
#include "cuda/weight_copies.hpp"

namespace bn::cuda {

// Tensor-core convolutions take rows of 16 bytes.
int64_t image_row_stride(int64_t channels, DType dtype) { return round_up(channels, 16 / size_of(dtype)); }

namespace {

// The channels that the library sees in x.
int64_t width_of(const OpDesc& desc) {
  const TensorDesc& x = desc.x[0];
  const bool is_dense = x.row_stride == x.shape.c;
  const bool is_widened_image =
      x.row_stride == image_row_stride(x.shape.c, x.dtype) && !(desc.has_backward && desc.wants_dx.at(0));
  if ((!is_dense && !is_widened_image) || desc.y.row_stride != desc.y.shape.c) {
    throw UnsupportedError("This op needs dense tensors, not a slice of wider rows.");
  }
  return x.row_stride;
}

WeightLayout layout_of(const ConvolutionWindow& window, const OpDesc& desc) {
  require_activations(desc);
  return {.outputs = desc.y.shape.c,
          .positions = window.kernel * window.kernel,
          .channels = desc.x[0].shape.c,
          .width = width_of(desc)};
}

}  // namespace

DenseConvolution::DenseConvolution(const Context& context, const ConvolutionWindow& window,
                                   const std::optional<Folded>& folded, const OpDesc& desc, WeightSource source)
    : context_(context),
      layout_(layout_of(window, desc)),
      dtype_(desc.y.dtype),
      source_(source),
      folding_(context, folded, desc, packed_) {
  keeps_copy_ = source == WeightSource::kComposed || dtype_ != DType::kF32 || folded || unpacks_gradient();
  const Shape w{layout_.outputs, window.kernel, window.kernel, layout_.width};
  if (keeps_copy_) weights_offset_ = packed_.add(w.elements() * size_of(dtype_));
  Shape x = desc.x[0].shape;
  x.c = layout_.width;
  const ConvolutionProblem problem{
      .x = x, .w = w, .y = desc.y.shape, .stride = window.stride, .pad = window.pad, .dtype = dtype_};
  forward_ = ConvolutionPlan(context, problem);
  scratch_bytes_ = forward_.workspace_bytes();
  if (desc.has_backward) prepare_backward(desc, problem);
}

void DenseConvolution::prepare_backward(const OpDesc& desc, ConvolutionProblem problem) {
  if (desc.wants_dx.at(0)) {
    problem.part = ConvolutionPart::kInputGradient;
    input_gradient_ = ConvolutionPlan(context_, problem);
  }
  problem.part = ConvolutionPart::kWeightGradient;
  weight_gradient_ = ConvolutionPlan(context_, problem);
  if (unpacks_gradient()) gradient_offset_ = packed_.add(problem.w.elements() * size_of(dtype_));
  scratch_bytes_ = std::max({scratch_bytes_, input_gradient_.workspace_bytes(), weight_gradient_.workspace_bytes()});
}

std::string DenseConvolution::implementation() const {
  std::string text = "cudnn: " + forward_.engine();
  if (!input_gradient_.empty()) text += ", dx " + input_gradient_.engine();
  if (!weight_gradient_.empty()) text += ", dw " + weight_gradient_.engine();
  if (!weight_gradient_.empty() && dtype_ != DType::kF32) text += " (rounded to bf16)";
  return text;
}

const void* DenseConvolution::weights(const OpIo& io) const {
  return keeps_copy_ ? at(io.packed, weights_offset_) : io.w.at(0).data;
}

bool DenseConvolution::unpacks_gradient() const { return dtype_ != DType::kF32 || layout_.width != layout_.channels; }

void DenseConvolution::pack(const OpIo& io, const float* w, size_t first) const {
  if (!keeps_copy_) return;
  folding_.prepare(io, first);
  void* packed = at(io.packed, weights_offset_);
  if (const float* scale = folding_.scale(io.packed)) {
    scale_weights(context_, packed, dtype_, w, scale, layout_);
    return;
  }
  const WeightCopy copy{.from = w,
                        .to = packed,
                        .to_dtype = dtype_,
                        .rows = layout_.outputs * layout_.positions,
                        .from_width = layout_.channels,
                        .to_width = layout_.width};
  source_ == WeightSource::kStayInPlace ? copy_or_gather(context_, copy) : copy_weights(context_, {&copy, 1});
}

void DenseConvolution::run(const ConvolutionPlan& plan, void* result, const void* first, const void* second,
                           void* workspace) const {
  plan.run(result, first, second, workspace);
  after_launch(context_, "of cuDNN's convolution");
}

void DenseConvolution::forward(const OpIo& io, void* scratch) const {
  run(forward_, io.y.data, io.x.at(0).data, weights(io), scratch);
  folding_.finish(io);
}

void DenseConvolution::backward(float* dw, const OpIo& io, void* scratch) const {
  if (!input_gradient_.empty()) run(input_gradient_, io.dx.at(0).data, io.dy.data, weights(io), scratch);
  void* gradient = unpacks_gradient() ? at(io.packed, gradient_offset_) : dw;
  run(weight_gradient_, gradient, io.dy.data, io.x.at(0).data, scratch);
}

void DenseConvolution::unpack(float* dw, const OpIo& io) const {
  if (!unpacks_gradient()) return;
  copy_or_gather(context_, {.from = at(io.packed, gradient_offset_),
                            .to = dw,
                            .from_dtype = dtype_,
                            .rows = layout_.outputs * layout_.positions,
                            .from_width = layout_.width,
                            .to_width = layout_.channels});
}

}  // namespace bn::cuda
