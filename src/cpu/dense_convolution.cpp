#include "cpu/dense_convolution.hpp"

#include <omp.h>

#include <algorithm>
#include <string>
#include <utility>

#include "core/op_checks.hpp"

namespace bn::cpu {
namespace {

using FormatTag = dnnl::memory::format_tag;

dnnl::memory::dims weight_dims(const ConvolutionWindow& window, const OpDesc& desc) {
  return {desc.y.shape.c, desc.x.at(0).shape.c, window.kernel, window.kernel};
}

// Takes oneDNN's first choice, but not brgemm without AMX where rows of the output are this short. brgemm multiplies
// matrices of one row each, and on such rows "jit" takes 0.55 to 1.0 of its time (experiments/benchmarks/cpu_notes.md).
Accept forward_implementation(const OpDesc& desc) {
  const int64_t short_row = desc.y.dtype == DType::kBf16 ? 8 : 4;
  if (desc.y.shape.w > short_row) return {};
  return [is_first = true, wants_jit = false](const dnnl::primitive_desc_base& implementation) mutable {
    const std::string name = implementation.impl_info_str();
    if (is_first) wants_jit = is_brgemm_convolution(name) && name.find("amx") == std::string::npos;
    is_first = false;
    return !wants_jit || name.starts_with("jit");
  };
}

// The weights may have any layout: the kernel chooses it.
dnnl::memory::desc free_weights(const ConvolutionWindow& window, const OpDesc& desc, DType dtype) {
  return {weight_dims(window, desc), data_type(dtype), FormatTag::any};
}

// AMX multiplies tiles of bf16. oneDNN's convolutions on it leave much of that to be had backwards; the choices below
// are measured in experiments/benchmarks/cpu_notes.md.
bool library_uses_amx(const OpDesc& desc) { return desc.x[0].dtype == DType::kBf16 && allows_instructions("amx"); }

// Small maps gain from being one image: maps up to 4x4 pixels 1.1 to 2.5 times. Larger ones gain at most 4 %, but with
// AMX all gain.
std::pair<dnnl::memory::desc, dnnl::memory::desc> weight_gradient_sees(const ConvolutionWindow& window,
                                                                       const OpDesc& desc) {
  const Shape &x = desc.x.at(0).shape, &y = desc.y.shape;
  const bool is_one = y.h * y.w <= 16 || library_uses_amx(desc);
  return {nhwc(desc.x[0].dtype, is_one ? as_one_image(window, x) : x),
          nhwc(desc.y.dtype, is_one ? as_one_image(window, y) : y)};
}

// With AMX a pointwise convolution's weight gradient is one product of matrices. Over BN-Inception that is 17 (64x64)
// and 3.6 (224) times as quick as oneDNN's first choice for images.
Accept weight_gradient_implementation(const ConvolutionWindow& window, const OpDesc& desc) {
  if (!library_uses_amx(desc) || !is_pointwise(window)) return {};
  return [](const dnnl::primitive_desc_base& implementation) {
    return std::string(implementation.impl_info_str()).starts_with("x64:gemm");
  };
}

}  // namespace

bool is_pointwise(const ConvolutionWindow& window) {
  return window.kernel == 1 && window.stride == 1 && window.pad == 0;
}

Shape as_one_image(const ConvolutionWindow& window, const Shape& shape) {
  return is_pointwise(window) ? Shape{1, shape.n * shape.h, shape.w, shape.c} : shape;
}

DenseConvolution::DenseConvolution(const ConvolutionWindow& window, const std::optional<Folded>& folded,
                                   const OpDesc& desc)
    : x_(nhwc(desc.x.at(0).dtype, as_one_image(window, desc.x.at(0).shape))),
      y_(nhwc(desc.y.dtype, as_one_image(window, desc.y.shape))),
      plain_w_(weight_dims(window, desc), dnnl::memory::data_type::f32, FormatTag::ohwi),
      stride_{window.stride, window.stride},
      pad_{window.pad, window.pad},
      has_bias_(folded.has_value()) {
  refuse_row_strides(desc);
  require_no_backward(folded, desc);

  const auto direction =
      desc.phase == Phase::kTrain ? dnnl::prop_kind::forward_training : dnnl::prop_kind::forward_inference;
  const dnnl::convolution_forward::primitive_desc forward =
      convolution_forward(direction,
                          {.x = x_,
                           .w = free_weights(window, desc, desc.x[0].dtype),
                           .y = y_,
                           .stride = stride_,
                           .pad = pad_,
                           .bias = has_bias_ ? vector(desc.y.shape.c) : dnnl::memory::desc()},
                          attributes(folded ? folded->activation : Activation::kNone), forward_implementation(desc));
  forward_ = PreparedCall(forward, {DNNL_ARG_SRC, DNNL_ARG_WEIGHTS, DNNL_ARG_BIAS, DNNL_ARG_DST});
  pack_forward_ = prepare_reorder(plain_w_, forward.weights_desc());
  packed_.add(static_cast<int64_t>(forward.weights_desc().get_size()));
  if (has_bias_) bias_offset_ = packed_.add(desc.y.shape.c * size_of(DType::kF32));
  scratch_bytes_ = std::max(forward_.scratch_bytes(), pack_forward_.scratch_bytes());
  if (!desc.has_backward) return;
  if (desc.wants_dx.at(0)) prepare_input_gradient(forward, window, desc);
  prepare_weight_gradient(forward, window, desc);
}

void DenseConvolution::prepare_input_gradient(const dnnl::convolution_forward::primitive_desc& forward,
                                              const ConvolutionWindow& window, const OpDesc& desc) {
  dnnl::memory::desc packed;
  if (library_uses_amx(desc) && is_pointwise(window)) {  // dx [m, i] = dy [m, o] * w [o, i]
    const Shape &x = desc.x[0].shape, &y = desc.y.shape;
    const dnnl::memory::desc w({y.c, x.c}, data_type(desc.x[0].dtype), FormatTag::any);
    const dnnl::matmul::primitive_desc product = matrix_product(
        row_major(desc.x[0].dtype, x.rows(), x.c), row_major(desc.y.dtype, y.rows(), y.c), w, attributes());
    dy_argument_ = DNNL_ARG_SRC;
    dx_argument_ = DNNL_ARG_DST;
    backward_data_ = PreparedCall(product, {dy_argument_, DNNL_ARG_WEIGHTS, dx_argument_});
    packed = product.weights_desc();
    pack_backward_ = prepare_reorder(row_major(DType::kF32, y.c, x.c), packed);
  } else {
    const auto data = convolution_gradient<InputGradient>(
        {.x = x_, .w = free_weights(window, desc, desc.x[0].dtype), .y = y_, .stride = stride_, .pad = pad_},
        attributes(), forward);
    backward_data_ = PreparedCall(data, {dy_argument_, DNNL_ARG_WEIGHTS, dx_argument_});
    packed = data.weights_desc();
    pack_backward_ = prepare_reorder(plain_w_, packed);
  }
  backward_w_offset_ = packed_.add(static_cast<int64_t>(packed.get_size()));
  scratch_bytes_ = std::max({scratch_bytes_, backward_data_.scratch_bytes(), pack_backward_.scratch_bytes()});
}

// The gradient is f32 whatever the activations are: gradients of parameters are never rounded to bf16.
void DenseConvolution::prepare_weight_gradient(const dnnl::convolution_forward::primitive_desc& forward,
                                               const ConvolutionWindow& window, const OpDesc& desc) {
  const auto [x, y] = weight_gradient_sees(window, desc);
  const auto weights = convolution_gradient<WeightGradient>(
      {.x = x, .w = free_weights(window, desc, DType::kF32), .y = y, .stride = stride_, .pad = pad_}, attributes(),
      forward, weight_gradient_implementation(window, desc));
  backward_weights_ = PreparedCall(weights, {DNNL_ARG_SRC, DNNL_ARG_DIFF_DST, DNNL_ARG_DIFF_WEIGHTS});
  unpack_dw_ = prepare_reorder(weights.diff_weights_desc(), plain_w_);
  Regions regions;
  regions.add(static_cast<int64_t>(weights.diff_weights_desc().get_size()));
  after_dw_offset_ = regions.add(std::max(backward_weights_.scratch_bytes(), unpack_dw_.scratch_bytes()));
  scratch_bytes_ = std::max(scratch_bytes_, regions.bytes());
}

void DenseConvolution::pack(void* packed, float* w, void* scratch) {
  pack_forward_.run({{DNNL_ARG_FROM, w}, {DNNL_ARG_TO, at(packed, 0)}}, scratch);
  if (pack_backward_.empty()) return;
  pack_backward_.run({{DNNL_ARG_FROM, w}, {DNNL_ARG_TO, at(packed, backward_w_offset_)}}, scratch);
}

void DenseConvolution::forward(const OpIo& io) {
  forward_.run({{DNNL_ARG_SRC, io.x[0].data},
                {DNNL_ARG_WEIGHTS, at(io.packed, 0)},
                {DNNL_ARG_BIAS, at(io.packed, bias_offset_)},  // ignored where there is none
                {DNNL_ARG_DST, io.y.data}},
               io.scratch);
}

void DenseConvolution::backward(float* dw, const OpIo& io, void* scratch) {
  if (!backward_data_.empty()) {
    backward_data_.run({{dy_argument_, io.dy.data},
                        {DNNL_ARG_WEIGHTS, at(io.packed, backward_w_offset_)},
                        {dx_argument_, io.dx[0].data}},
                       scratch);
  }
  // The gradient in the kernel's own layout, then its scratchpad.
  void *own_dw = at(scratch, 0), *rest = at(scratch, after_dw_offset_);
  backward_weights_.run(
      {{DNNL_ARG_SRC, io.x[0].data}, {DNNL_ARG_DIFF_DST, io.dy.data}, {DNNL_ARG_DIFF_WEIGHTS, own_dw}}, rest);
  unpack_dw_.run({{DNNL_ARG_FROM, own_dw}, {DNNL_ARG_TO, dw}}, rest);
}

}  // namespace bn::cpu
