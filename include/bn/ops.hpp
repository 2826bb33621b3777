// The operations a network is made of: plain values in one variant, with the rules that hold on every backend (output
// shape, parameters, the tensors that backward reads). An op's formula is written here once; src/cpu and src/cuda
// implement it, and tests/support/reference checks both.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "bn/tensor.hpp"

namespace bn {

enum class Activation { kNone, kRelu, kSigmoid };
enum class BatchNormScope { kSpatial, kPerActivation };  // Paper: sec. 3.2; per-activation in sec. 4.2.3
enum class BatchNormImplementation { kCustom, kOnednn, kCudnn };
enum class PoolKind { kMax, kAverage };
enum class PoolBorder { kExcludePadding, kIncludePadding };  // the divisor of an average

// Batch normalisation (and activation) folded into the preceding convolution or linear op, in plans for evaluation
// only. Paper: Algorithm 2, step 11. The op then has parameters {weights..., gamma, beta}, state {mean, var} and
// computes activation(conv(x, w * gamma / sqrt(var + eps)) + beta - gamma * mean / sqrt(var + eps)). Without batch
// normalisation (`eps` absent) the parameters are {weights..., bias}.
struct Folded {
  std::optional<float> eps{};
  Activation activation = Activation::kNone;
};

// y[n, oh, ow, o] = sum_{kh, kw, i} x[n, oh*stride - pad + kh, ow*stride - pad + kw, i] * w[o, kh, kw, i].
// No bias: BiasActivation adds it where there is no batch normalisation (paper sec. 3.2: "the bias b can be ignored").
struct Conv2d {
  int64_t out_channels = 0;
  int64_t kernel = 1;
  int64_t stride = 1;
  int64_t pad = 0;
  std::optional<Folded> folded{};
};

// The paper's first convolution ("separable convolution with depth multiplier 8"): a depthwise convolution
// w0[kh, kw, i, k] (stored {kernel, kernel, in, multiplier} as {n,h,w,c}) then a pointwise one w1[o, 1, 1, i*multiplier
// + k]. Nothing stands between the two, so it runs as one dense convolution of the composed weights W[o, kh, kw, i] =
// sum_k w1[o, i*multiplier + k] * w0[kh, kw, i, k]; dw0, dw1 follow by the chain rule.
struct SeparableConv2d {
  int64_t out_channels = 0;
  int64_t kernel = 7;
  int64_t stride = 2;
  int64_t pad = 3;
  int64_t depth_multiplier = 8;
  std::optional<Folded> folded{};
};

// y[n, o] = sum_i x[n, i] * w[o, i]; x is flattened from NHWC. No bias, as for Conv2d.
struct Linear {
  int64_t out_features = 0;
  std::optional<Folded> folded{};
};

// Paper: Algorithm 1 (sec. 3, 3.2) on an [m, c] matrix. Spatial: m = n*h*w, c channels. Per-activation: m = n,
// c = h*w*c. Parameters {gamma, beta}. In training state receives {batch mean, batch biased variance}; in evaluation
// state provides {population mean, population variance}. m must be at least 2 in training.
struct BatchNorm {
  float eps = 1e-3F;
  BatchNormScope scope = BatchNormScope::kSpatial;
  BatchNormImplementation implementation = BatchNormImplementation::kCustom;
  Activation activation = Activation::kNone;  // set by the fusion pass: y = activation(gamma * xhat + beta)
  // In training, this many consecutive parts of a step share their mean and variance, and m counts the rows of all of
  // them. The gradients of gamma and beta stay the part's own.
  int64_t synchronised_parts = 1;
};

// y = activation(x + bias[c]).
struct BiasActivation {
  Activation activation = Activation::kNone;
};

// y = activation(x). Backward reads y only.
struct Activate {
  Activation activation = Activation::kRelu;
};

// Windows start at -pad and step by stride; the output has ceil((size + 2*pad - kernel) / stride) + 1 positions, less
// one if the last window would start beyond size + pad - 1 (all the extra padding lies at the far edge). Max: the
// first element in window order (row by row) wins a tie, in every type; padding never wins, a NaN always.
struct Pool2d {
  PoolKind kind = PoolKind::kMax;
  int64_t kernel = 3;
  int64_t stride = 2;
  int64_t pad = 0;
  PoolBorder border = PoolBorder::kExcludePadding;
};
constexpr int64_t kMaxWindow = 256;           // elements in a max pool's window: its argmax is a byte
constexpr int64_t kMaxCoveringWindows = 256;  // windows of a pool that cover one element

// y_i = x_i / (k + alpha/size * sum_{j in window of `size` channels centred at i} x_j^2)^beta (Krizhevsky 2012, with
// alpha divided by the window's size as Caffe and cuDNN do).
struct LocalResponseNorm {
  int64_t size = 5;
  float alpha = 1e-4F;
  float beta = 0.75F;
  float k = 1.0F;
};
constexpr int64_t kMaxNormalizedWindow = 64;  // channels

// y = x * mask / (1 - rate) in training, mask drawn by MaskStream{seed, hash of the op's name}: element e of the dense
// tensor over all images of the step (StepScalars::parts) is kept when uniform_float(stream(step, e / 4)[e % 4]) >=
// rate. Identity in evaluation.
struct Dropout {
  float rate = 0.0F;
};

// Concatenation along channels.
struct Concat {};

// Inputs: logits x [n, classes] (f32), labels [n] (i32; -1 = padding, ignored). Output: y [n] = the image's
// cross-entropy -log softmax(x)[label] (0 for padding), in f32. Backward writes dx = weight * (softmax(x) - onehot) /
// (number of labels >= 0); there is no dy. Sets StepState::first_bad_step when a loss is not finite.
struct SoftmaxLoss {
  float weight = 1.0F;
};

using OpSpec = std::variant<Conv2d, SeparableConv2d, Linear, BatchNorm, BiasActivation, Activate, Pool2d,
                            LocalResponseNorm, Dropout, Concat, SoftmaxLoss>;

template <class... F>
struct Overloaded : F... {
  using F::operator()...;
};
template <class... F>
Overloaded(F...) -> Overloaded<F...>;

enum class ParameterRole { kWeight, kBias, kGamma, kBeta };

// One learned tensor of an op, before it has a place in a network.
struct ParameterSpec {
  std::string suffix{};  // "w", "depthwise", "pointwise", "bias", "gamma", "beta"
  Shape shape;
  ParameterRole role = ParameterRole::kWeight;
  int64_t fan_in = 0;   // for a weight: inputs summed into one output
  int64_t fan_out = 0;  // for a weight: outputs that one input feeds
};

// The tensors that backward reads besides dy, w and saved. They decide how long x and y must live.
struct BackwardReads {
  bool x = false;
  bool y = false;
};

// All throw ShapeError with the shapes in the message. Shapes are those of the op's data inputs (labels included).
Shape output_shape(const OpSpec& spec, std::span<const Shape> x);
std::vector<ParameterSpec> parameters_of(const OpSpec& spec, std::span<const Shape> x);
// The channels of mean and of var; 0: the op has no state.
int64_t state_channels(const OpSpec& spec, std::span<const Shape> x);
int64_t values_per_feature(const BatchNorm& spec, const Shape& x);  // the paper's m
BackwardReads backward_reads(const OpSpec& spec);
bool adds_gradient_terms(const OpSpec& spec);  // see OpIo::dx_terms; such an op has one input
// True if the op accepts row_stride != c on its y and dy (and, if it has one input, on x and dx): our own ops do where
// rows are pixels, a library's do not.
bool supports_row_stride(const OpSpec& spec);
bool supports_fused_activation(const BatchNorm& spec);                // whether BatchNorm::activation may be set
int64_t multiply_adds(const OpSpec& spec, std::span<const Shape> x);  // for convolutions and linear ops, else 0

std::string kind_of(const OpSpec& spec);   // "conv2d", "batch_norm", ...
std::string describe(const OpSpec& spec);  // "conv2d 64 7x7/2 pad 3"

}  // namespace bn
