#include "exchange/evaluated_weights.hpp"

#include <cmath>

namespace bn::exchange {
namespace {

std::vector<double> widened(const std::vector<float>& values) { return {values.begin(), values.end()}; }

}  // namespace

std::vector<float> download(Backend& backend, const Tensor& tensor) {
  std::vector<float> values(static_cast<size_t>(tensor.shape.elements()));
  backend.download(values.data(), tensor.data, tensor.bytes());
  return values;
}

std::vector<float> WeightsReader::value(int parameter) const {
  return download(parameters_.backend(), parameters_.value(parameter, copy_));
}

// Paper: Algorithm 2, step 11: gamma * (x - mean) / sqrt(var + eps) + beta = scale * x + shift.
ScaleAndShift WeightsReader::normalization(const GraphNode& node, size_t first, float eps) const {
  const auto population = [&](size_t i) {
    return download(parameters_.backend(), parameters_.population(node.state.at(i)));
  };
  const std::vector<float> gamma = value(node.parameters.at(first)), beta = value(node.parameters.at(first + 1));
  const std::vector<float> mean = population(0), var = population(1);
  ScaleAndShift result;
  for (size_t i = 0; i < gamma.size(); ++i) {
    const double scale = gamma[i] / std::sqrt(static_cast<double>(var[i]) + static_cast<double>(eps));
    result.scale.push_back(static_cast<float>(scale));
    result.shift.push_back(static_cast<float>(beta[i] - scale * mean[i]));
  }
  return result;
}

EvaluatedWeights WeightsReader::fold(const std::vector<double>& w, const GraphNode& node,
                                     const std::optional<Folded>& folded, size_t first) const {
  EvaluatedWeights result;
  result.w.assign(w.begin(), w.end());
  if (!folded) return result;
  if (!folded->eps) {
    result.bias = value(node.parameters.at(first));
    return result;
  }
  const ScaleAndShift norm = normalization(node, first, *folded->eps);
  const size_t inputs = w.size() / norm.scale.size();
  for (size_t i = 0; i < w.size(); ++i) result.w[i] = static_cast<float>(norm.scale[i / inputs] * w[i]);
  result.bias = norm.shift;
  return result;
}

EvaluatedWeights WeightsReader::convolution(const GraphNode& node, const Conv2d& spec) const {
  const int64_t area = spec.kernel * spec.kernel;
  const std::vector<double> w = widened(value(node.parameters.at(0)));  // [o, kh, kw, i]
  const int64_t in = static_cast<int64_t>(w.size()) / (spec.out_channels * area);
  return fold(channels_first(w, spec.out_channels, area, in), node, spec.folded, 1);
}

EvaluatedWeights WeightsReader::convolution(const GraphNode& node, const SeparableConv2d& spec) const {
  const std::vector<double> depthwise = widened(value(node.parameters.at(0)));  // [kh, kw, i, multiplier]
  const std::vector<double> pointwise = widened(value(node.parameters.at(1)));  // [o, i * multiplier]
  const auto area = static_cast<size_t>(spec.kernel * spec.kernel);
  const auto multiplier = static_cast<size_t>(spec.depth_multiplier), out = static_cast<size_t>(spec.out_channels);
  const size_t in = depthwise.size() / (area * multiplier);
  std::vector<double> w(out * in * area);  // [o, i, kh, kw]
  for (size_t o = 0; o < out; ++o) {
    for (size_t i = 0; i < in; ++i) {
      for (size_t place = 0; place < area; ++place) {
        double sum = 0;
        for (size_t k = 0; k < multiplier; ++k) {
          sum += pointwise[(o * in + i) * multiplier + k] * depthwise[(place * in + i) * multiplier + k];
        }
        w[(o * in + i) * area + place] = sum;
      }
    }
  }
  return fold(w, node, spec.folded, 2);
}

EvaluatedWeights WeightsReader::linear(const GraphNode& node, const Linear& spec, const Shape& x) const {
  const std::vector<double> w = widened(value(node.parameters.at(0)));  // [o, h * w * c]
  return fold(channels_first(w, spec.out_features, x.h * x.w, x.c), node, spec.folded, 1);
}

ScaleAndShift WeightsReader::batch_norm(const GraphNode& node, const BatchNorm& spec, const Shape& x) const {
  ScaleAndShift result = normalization(node, 0, spec.eps);
  if (spec.scope == BatchNormScope::kPerActivation) {
    result.scale = channels_first(result.scale, 1, x.h * x.w, x.c);
    result.shift = channels_first(result.shift, 1, x.h * x.w, x.c);
  }
  return result;
}

}  // namespace bn::exchange
