// The weights that evaluation computes with: batch normalisation folded in, axes in the order of other frameworks.
#pragma once

#include <cstdint>
#include <vector>

#include "bn/parameters.hpp"
#include "plan/graph.hpp"

namespace bn::exchange {

std::vector<float> download(Backend& backend, const Tensor& tensor);  // of f32

// y[o] = sum over inputs of w[o, input] * x + bias[o]; the bias is empty where the op has none.
struct EvaluatedWeights {
  std::vector<float> w{}, bias{};
};

// y = scale * x + shift, elementwise.
struct ScaleAndShift {
  std::vector<float> scale{}, shift{};
};

class WeightsReader {
 public:
  WeightsReader(const Parameters& parameters, WeightsCopy copy) : parameters_(parameters), copy_(copy) {}

  EvaluatedWeights convolution(const GraphNode& node, const Conv2d& spec) const;           // w [o, i, kh, kw]
  EvaluatedWeights convolution(const GraphNode& node, const SeparableConv2d& spec) const;  // the composed w
  // x is one image's shape; w [o, c * h * w], for x flattened from NCHW.
  EvaluatedWeights linear(const GraphNode& node, const Linear& spec, const Shape& x) const;
  // [c] for spatial statistics, [c, h, w] for those per activation.
  ScaleAndShift batch_norm(const GraphNode& node, const BatchNorm& spec, const Shape& x) const;
  std::vector<float> value(int parameter) const;

 private:
  // The batch norm is the one whose gamma and beta are the node's parameters from `first` on.
  ScaleAndShift normalization(const GraphNode& node, size_t first, float eps) const;
  // `w` is [outputs, inputs]; the other parameters of the node start at index `first`.
  EvaluatedWeights fold(const std::vector<double>& w, const GraphNode& node, const std::optional<Folded>& folded,
                        size_t first) const;

  const Parameters& parameters_;
  WeightsCopy copy_;
};

// [rows, pixels, c] -> [rows, c, pixels].
template <class T>
std::vector<T> channels_first(const std::vector<T>& values, int64_t rows, int64_t pixels, int64_t c) {
  std::vector<T> result(values.size());
  for (int64_t row = 0; row < rows; ++row) {
    for (int64_t pixel = 0; pixel < pixels; ++pixel) {
      for (int64_t i = 0; i < c; ++i) {
        result[static_cast<size_t>((row * c + i) * pixels + pixel)] =
            values[static_cast<size_t>((row * pixels + pixel) * c + i)];
      }
    }
  }
  return result;
}

}  // namespace bn::exchange
