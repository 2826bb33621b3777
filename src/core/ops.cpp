// Rules of the operations that hold on every backend; see bn/ops.hpp.
#include "bn/ops.hpp"

#include <fmt/format.h>

#include "bn/error.hpp"

namespace bn {
namespace {

const char* name_of(Activation activation) {
  switch (activation) {
    case Activation::kNone:
      return "none";
    case Activation::kRelu:
      return "relu";
    case Activation::kSigmoid:
      return "sigmoid";
  }
  return "?";
}

void expect_inputs(const char* kind, std::span<const Shape> x, size_t count) {
  if (x.size() != count) throw ShapeError(fmt::format("{} takes {} input(s), not {}", kind, count, x.size()));
}

// Output positions of a convolution along one axis (floor, as every library does).
int64_t convolution_positions(int64_t size, int64_t kernel, int64_t stride, int64_t pad) {
  const int64_t span = size + 2 * pad - kernel;
  if (kernel < 1 || stride < 1 || pad < 0 || span < 0) {
    throw ShapeError(fmt::format("a {0}x{0} kernel with stride {1} and padding {2} does not fit {3} pixels", kernel,
                                 stride, pad, size));
  }
  return span / stride + 1;
}

// Output positions of a pool along one axis: rounded up, but no window may start beyond the padded input.
int64_t pool_positions(int64_t size, const Pool2d& pool) {
  const int64_t span = size + 2 * pool.pad - pool.kernel;
  if (pool.kernel < 1 || pool.stride < 1 || pool.pad < 0 || pool.pad >= pool.kernel || span < 0) {
    throw ShapeError(fmt::format("a {0}x{0} pool with stride {1} and padding {2} does not fit {3} pixels", pool.kernel,
                                 pool.stride, pool.pad, size));
  }
  const int64_t positions = (span + pool.stride - 1) / pool.stride + 1;
  return (positions - 1) * pool.stride >= size + pool.pad ? positions - 1 : positions;
}

int64_t flat(const Shape& shape) { return shape.h * shape.w * shape.c; }

Shape convolution_shape(const Shape& x, int64_t out_channels, int64_t kernel, int64_t stride, int64_t pad) {
  if (out_channels < 1) throw ShapeError("a convolution needs at least one output channel");
  return {x.n, convolution_positions(x.h, kernel, stride, pad), convolution_positions(x.w, kernel, stride, pad),
          out_channels};
}

Shape concat_shape(std::span<const Shape> x) {
  if (x.empty()) throw ShapeError("concat needs at least one input");
  Shape y = x[0];
  for (const Shape& part : x.subspan(1)) {
    if (part.n != y.n || part.h != y.h || part.w != y.w) {
      throw ShapeError(fmt::format("cannot concatenate {} with {} along channels", to_string(part), to_string(x[0])));
    }
    y.c += part.c;
  }
  return y;
}

// Appends the parameters after the weights, gamma and beta or a bias, when an op carries folded batch normalisation.
void append_folded(std::vector<ParameterSpec>& parameters, const std::optional<Folded>& folded, int64_t channels) {
  if (!folded) return;
  if (folded->eps) {
    parameters.push_back({.suffix = "gamma", .shape = vector_shape(channels), .role = ParameterRole::kGamma});
    parameters.push_back({.suffix = "beta", .shape = vector_shape(channels), .role = ParameterRole::kBeta});
  } else {
    parameters.push_back({.suffix = "bias", .shape = vector_shape(channels), .role = ParameterRole::kBias});
  }
}

ParameterSpec weight(const char* suffix, const Shape& shape, int64_t fan_in, int64_t fan_out) {
  return {.suffix = suffix, .shape = shape, .role = ParameterRole::kWeight, .fan_in = fan_in, .fan_out = fan_out};
}

}  // namespace

Shape output_shape(const OpSpec& spec, std::span<const Shape> x) {
  const std::string kind = kind_of(spec);
  if (!std::holds_alternative<Concat>(spec)) {
    expect_inputs(kind.c_str(), x, std::holds_alternative<SoftmaxLoss>(spec) ? 2 : 1);
  }
  return std::visit(
      Overloaded{
          [&](const Conv2d& op) { return convolution_shape(x[0], op.out_channels, op.kernel, op.stride, op.pad); },
          [&](const SeparableConv2d& op) {
            return convolution_shape(x[0], op.out_channels, op.kernel, op.stride, op.pad);
          },
          [&](const Linear& op) {
            return Shape{x[0].n, 1, 1, op.out_features};
          },
          [&](const Pool2d& op) {
            return Shape{x[0].n, pool_positions(x[0].h, op), pool_positions(x[0].w, op), x[0].c};
          },
          [&](const Concat&) { return concat_shape(x); },
          [&](const SoftmaxLoss&) {
            if (x[0].h != 1 || x[0].w != 1) throw ShapeError("softmax_loss needs logits of shape n x 1 x 1 x classes");
            return Shape{x[0].n, 1, 1, 1};
          },
          [&](const auto&) { return x[0]; },
      },
      spec);
}

std::vector<ParameterSpec> parameters_of(const OpSpec& spec, std::span<const Shape> x) {
  std::vector<ParameterSpec> parameters;
  std::visit(
      Overloaded{
          [&](const Conv2d& op) {
            const int64_t area = op.kernel * op.kernel;
            parameters.push_back(
                weight("w", {op.out_channels, op.kernel, op.kernel, x[0].c}, area * x[0].c, area * op.out_channels));
            append_folded(parameters, op.folded, op.out_channels);
          },
          [&](const SeparableConv2d& op) {
            const int64_t area = op.kernel * op.kernel, middle = x[0].c * op.depth_multiplier;
            parameters.push_back(weight("depthwise", {op.kernel, op.kernel, x[0].c, op.depth_multiplier}, area,
                                        area * op.depth_multiplier));
            parameters.push_back(weight("pointwise", {op.out_channels, 1, 1, middle}, middle, op.out_channels));
            append_folded(parameters, op.folded, op.out_channels);
          },
          [&](const Linear& op) {
            parameters.push_back(weight("w", {op.out_features, 1, 1, flat(x[0])}, flat(x[0]), op.out_features));
            append_folded(parameters, op.folded, op.out_features);
          },
          [&](const BatchNorm& op) { append_folded(parameters, Folded{.eps = op.eps}, state_channels(spec, x)); },
          [&](const BiasActivation&) { append_folded(parameters, Folded{}, x[0].c); },
          [](const auto&) {},
      },
      spec);
  return parameters;
}

int64_t state_channels(const OpSpec& spec, std::span<const Shape> x) {
  const auto of_folded = [](const std::optional<Folded>& folded, int64_t channels) {
    return folded && folded->eps ? channels : 0;
  };
  return std::visit(Overloaded{
                        [&](const BatchNorm& op) { return op.scope == BatchNormScope::kSpatial ? x[0].c : flat(x[0]); },
                        [&](const Conv2d& op) { return of_folded(op.folded, op.out_channels); },
                        [&](const SeparableConv2d& op) { return of_folded(op.folded, op.out_channels); },
                        [&](const Linear& op) { return of_folded(op.folded, op.out_features); },
                        [](const auto&) { return int64_t{0}; },
                    },
                    spec);
}

int64_t values_per_feature(const BatchNorm& spec, const Shape& x) {
  return spec.scope == BatchNormScope::kSpatial ? x.rows() : x.n;
}

BackwardReads backward_reads(const OpSpec& spec) {
  return std::visit(
      Overloaded{
          [](const Conv2d&) { return BackwardReads{.x = true}; },
          [](const SeparableConv2d&) { return BackwardReads{.x = true}; },
          [](const Linear&) { return BackwardReads{.x = true}; },
          [](const BatchNorm& op) { return BackwardReads{.x = true, .y = op.activation != Activation::kNone}; },
          [](const BiasActivation& op) { return BackwardReads{.y = op.activation != Activation::kNone}; },
          [](const Activate&) { return BackwardReads{.y = true}; },
          [](const LocalResponseNorm&) { return BackwardReads{.x = true}; },
          [](const SoftmaxLoss&) { return BackwardReads{.x = true}; },  // its labels
          // Every op is listed: one that is forgotten here would lose its input to shared memory.
          [](const Pool2d&) { return BackwardReads{}; },
          [](const Dropout&) { return BackwardReads{}; },
          [](const Concat&) { return BackwardReads{}; },
      },
      spec);
}

bool adds_gradient_terms(const OpSpec& spec) { return std::holds_alternative<Pool2d>(spec); }

bool supports_row_stride(const OpSpec& spec) {
  // Per-activation statistics see whole images as rows: only dense ones are.
  if (const auto* norm = std::get_if<BatchNorm>(&spec)) {
    return norm->implementation == BatchNormImplementation::kCustom && norm->scope == BatchNormScope::kSpatial;
  }
  return std::holds_alternative<BiasActivation>(spec) || std::holds_alternative<Activate>(spec) ||
         std::holds_alternative<Pool2d>(spec);
}

bool supports_fused_activation(const BatchNorm& spec) {
  return spec.implementation == BatchNormImplementation::kCustom;
}

int64_t multiply_adds(const OpSpec& spec, std::span<const Shape> x) {
  const int64_t outputs = output_shape(spec, x).elements();
  return std::visit(Overloaded{
                        [&](const Conv2d& op) { return outputs * op.kernel * op.kernel * x[0].c; },
                        // The separable form, as the paper counts it: depthwise, then pointwise.
                        [&](const SeparableConv2d& op) {
                          const int64_t middle = x[0].c * op.depth_multiplier;
                          return outputs / op.out_channels * middle * (op.kernel * op.kernel + op.out_channels);
                        },
                        [&](const Linear&) { return outputs * flat(x[0]); },
                        [](const auto&) { return int64_t{0}; },
                    },
                    spec);
}

std::string kind_of(const OpSpec& spec) {
  return std::visit(Overloaded{
                        [](const Conv2d&) { return "conv2d"; },
                        [](const SeparableConv2d&) { return "separable_conv2d"; },
                        [](const Linear&) { return "linear"; },
                        [](const BatchNorm&) { return "batch_norm"; },
                        [](const BiasActivation&) { return "bias_activation"; },
                        [](const Activate&) { return "activate"; },
                        [](const Pool2d&) { return "pool2d"; },
                        [](const LocalResponseNorm&) { return "local_response_norm"; },
                        [](const Dropout&) { return "dropout"; },
                        [](const Concat&) { return "concat"; },
                        [](const SoftmaxLoss&) { return "softmax_loss"; },
                    },
                    spec);
}

std::string describe(const OpSpec& spec) {
  const std::string detail = std::visit(
      Overloaded{
          [](const Conv2d& op) {
            return fmt::format(" {0} {1}x{1}/{2} pad {3}{4}", op.out_channels, op.kernel, op.stride, op.pad,
                               op.folded ? " folded" : "");
          },
          [](const SeparableConv2d& op) {
            return fmt::format(" {0} {1}x{1}/{2} pad {3} multiplier {4}{5}", op.out_channels, op.kernel, op.stride,
                               op.pad, op.depth_multiplier, op.folded ? " folded" : "");
          },
          [](const Linear& op) { return fmt::format(" {}{}", op.out_features, op.folded ? " folded" : ""); },
          [](const BatchNorm& op) {
            return fmt::format(" {} eps {} {}", op.scope == BatchNormScope::kSpatial ? "spatial" : "per-activation",
                               op.eps, name_of(op.activation));
          },
          [](const BiasActivation& op) { return fmt::format(" {}", name_of(op.activation)); },
          [](const Activate& op) { return fmt::format(" {}", name_of(op.activation)); },
          [](const Pool2d& op) {
            return fmt::format(" {0} {1}x{1}/{2} pad {3}", op.kind == PoolKind::kMax ? "max" : "average", op.kernel,
                               op.stride, op.pad);
          },
          [](const LocalResponseNorm& op) { return fmt::format(" size {}", op.size); },
          [](const Dropout& op) { return fmt::format(" {}", op.rate); },
          [](const SoftmaxLoss& op) { return fmt::format(" weight {}", op.weight); },
          [](const Concat&) { return std::string(); },
      },
      spec);
  return kind_of(spec) + detail;
}

}  // namespace bn
