#include "support/reference.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "bn/error.hpp"
#include "bn/rng.hpp"

namespace bn::test {
namespace {

int64_t at(const Shape& shape, int64_t n, int64_t h, int64_t w, int64_t c) {
  return ((n * shape.h + h) * shape.w + w) * shape.c + c;
}

bool is_training(const OpCase& op_case) { return op_case.phase == Phase::kTrain; }

// Paper: Algorithm 1, and the chain rule of sec. 3 without simplification, on the column j of an [m, c] matrix.
struct BatchNormColumn {
  const BatchNorm& spec;
  const OpCase& op_case;
  const OpData& data;
  int64_t m, c;

  void compute(int64_t j, OpResult& result) const {
    double mu = 0, var = 0;
    if (is_training(op_case)) {
      for (int64_t i = 0; i < m; ++i) mu += data.x[0][i * c + j] / static_cast<double>(m);
      for (int64_t i = 0; i < m; ++i) var += std::pow(data.x[0][i * c + j] - mu, 2) / static_cast<double>(m);
      result.state[0][j] = mu;
      result.state[1][j] = var;
    } else {
      mu = data.state[0][j];
      var = data.state[1][j];
    }
    for (int64_t i = 0; i < m; ++i) {
      const double x_hat = (data.x[0][i * c + j] - mu) / std::sqrt(var + spec.eps);
      result.y[i * c + j] = activate(spec.activation, data.w[0][j] * x_hat + data.w[1][j]);
    }
    if (is_training(op_case)) backward(j, mu, var, result);
  }

  void backward(int64_t j, double mu, double var, OpResult& result) const {
    const double gamma = data.w[0][j];
    double dvar = 0, dmu = 0, sum_deviation = 0, dgamma = 0, dbeta = 0;
    const auto dz = [&](int64_t i) {
      return data.dy[i * c + j] * activation_slope(spec.activation, result.y[i * c + j]);
    };
    for (int64_t i = 0; i < m; ++i) {
      const double deviation = data.x[0][i * c + j] - mu;
      dvar += dz(i) * gamma * deviation * -0.5 * std::pow(var + spec.eps, -1.5);
      dmu -= dz(i) * gamma / std::sqrt(var + spec.eps);
      sum_deviation += deviation;
      dgamma += dz(i) * deviation / std::sqrt(var + spec.eps);
      dbeta += dz(i);
    }
    dmu += dvar * -2.0 * sum_deviation / static_cast<double>(m);
    for (int64_t i = 0; i < m; ++i) {
      result.dx[0][i * c + j] = dz(i) * gamma / std::sqrt(var + spec.eps) +
                                dvar * 2.0 * (data.x[0][i * c + j] - mu) / static_cast<double>(m) +
                                dmu / static_cast<double>(m);
    }
    result.dw[0][j] = dgamma;
    result.dw[1][j] = dbeta;
  }
};

void compute(const BatchNorm& spec, const OpCase& op_case, const OpData& data, OpResult& result) {
  const Shape& x = op_case.x[0];
  const int64_t m = spec.scope == BatchNormScope::kSpatial ? x.rows() : x.n;
  const BatchNormColumn column{spec, op_case, data, m, x.elements() / m};
  if (is_training(op_case)) result.state.assign(2, Values(column.c));
  for (int64_t j = 0; j < column.c; ++j) column.compute(j, result);
}

void compute_activation(Activation activation, const OpCase& op_case, const OpData& data, const Values& bias,
                        OpResult& result) {
  for (size_t i = 0; i < result.y.size(); ++i) {
    result.y[i] = activate(activation, data.x[0][i] + (bias.empty() ? 0.0 : bias[i % bias.size()]));
    if (!is_training(op_case)) continue;
    const double dz = data.dy[i] * activation_slope(activation, result.y[i]);
    result.dx[0][i] = dz;
    if (!bias.empty()) result.dw[0][i % bias.size()] += dz;
  }
}

void compute(const BiasActivation& spec, const OpCase& op_case, const OpData& data, OpResult& result) {
  compute_activation(spec.activation, op_case, data, data.w[0], result);
}

void compute(const Activate& spec, const OpCase& op_case, const OpData& data, OpResult& result) {
  compute_activation(spec.activation, op_case, data, {}, result);
}

// One output position of one channel: the window's elements inside the image, in window order.
struct Window {
  std::vector<int64_t> inside;  // indices into x
  int64_t with_padding = 0;     // elements if those within `pad` of the image count too
};

Window window_at(const Pool2d& spec, const Shape& x, int64_t n, int64_t oh, int64_t ow, int64_t c) {
  Window window;
  for (int64_t kh = 0; kh < spec.kernel; ++kh) {
    for (int64_t kw = 0; kw < spec.kernel; ++kw) {
      const int64_t h = oh * spec.stride - spec.pad + kh;
      const int64_t w = ow * spec.stride - spec.pad + kw;
      if (h < x.h + spec.pad && w < x.w + spec.pad) ++window.with_padding;
      if (h >= 0 && h < x.h && w >= 0 && w < x.w) window.inside.push_back(at(x, n, h, w, c));
    }
  }
  return window;
}

void compute(const Pool2d& spec, const OpCase& op_case, const OpData& data, OpResult& result) {
  const Shape& x = op_case.x[0];
  const Shape y = output_shape(op_case.spec, op_case.x);
  for (int64_t i = 0; i < y.elements(); ++i) {
    const int64_t c = i % y.c, ow = i / y.c % y.w, oh = i / y.c / y.w % y.h, n = i / y.c / y.w / y.h;
    const Window window = window_at(spec, x, n, oh, ow, c);
    if (spec.kind == PoolKind::kMax) {
      int64_t best = window.inside.at(0);
      for (const int64_t j : window.inside) best = data.x[0][j] > data.x[0][best] ? j : best;
      result.y[i] = data.x[0][best];
      if (is_training(op_case)) result.dx[0][best] += data.dy[i];
      continue;
    }
    const auto inside = static_cast<int64_t>(window.inside.size());
    const auto count = static_cast<double>(spec.border == PoolBorder::kIncludePadding ? window.with_padding : inside);
    for (const int64_t j : window.inside) {
      result.y[i] += data.x[0][j] / count;
      if (is_training(op_case)) result.dx[0][j] += data.dy[i] / count;
    }
  }
}

void compute(const LocalResponseNorm& spec, const OpCase& op_case, const OpData& data, OpResult& result) {
  const Shape& x = op_case.x[0];
  const double alpha = spec.alpha / static_cast<double>(spec.size);
  const auto first = [&](int64_t c) { return std::max<int64_t>(0, c - spec.size / 2); };
  const auto last = [&](int64_t c) { return std::min(x.c - 1, c - spec.size / 2 + spec.size - 1); };
  for (int64_t row = 0; row < x.rows(); ++row) {
    const double* in = &data.x[0][row * x.c];
    for (int64_t i = 0; i < x.c; ++i) {
      double scale = spec.k;
      for (int64_t j = first(i); j <= last(i); ++j) scale += alpha * in[j] * in[j];
      result.y[row * x.c + i] = in[i] * std::pow(scale, -static_cast<double>(spec.beta));
      if (!is_training(op_case)) continue;
      // dy_i/dx_j = scale^-beta [i = j] - 2 alpha beta x_i x_j scale^(-beta - 1)
      const double dy = data.dy[row * x.c + i];
      result.dx[0][row * x.c + i] += dy * std::pow(scale, -static_cast<double>(spec.beta));
      for (int64_t j = first(i); j <= last(i); ++j) {
        result.dx[0][row * x.c + j] -=
            dy * 2 * alpha * spec.beta * in[i] * in[j] * std::pow(scale, -static_cast<double>(spec.beta) - 1);
      }
    }
  }
}

void compute(const Dropout& spec, const OpCase& op_case, const OpData& data, OpResult& result) {
  const MaskStream stream{.seed = op_case.seed, .op = hash_name(name_of(op_case))};
  for (size_t i = 0; i < result.y.size(); ++i) {
    const bool kept = uniform_float(stream(op_case.step, i / 4)[i % 4]) >= spec.rate;
    const double factor = is_training(op_case) ? (kept ? 1.0 / (1.0 - static_cast<double>(spec.rate)) : 0.0) : 1.0;
    result.y[i] = factor * data.x[0][i];
    if (is_training(op_case)) result.dx[0][i] = factor * data.dy[i];
  }
}

void compute(const Concat&, const OpCase& op_case, const OpData& data, OpResult& result) {
  const Shape y = output_shape(op_case.spec, op_case.x);
  int64_t first = 0;  // y's first channel that holds the input's
  for (size_t input = 0; input < op_case.x.size(); ++input) {
    const int64_t c = op_case.x[input].c;
    for (int64_t i = 0; i < op_case.x[input].elements(); ++i) {
      const int64_t j = i / c * y.c + first + i % c;
      result.y[j] = data.x[input][i];
      if (is_training(op_case)) result.dx[input][i] = data.dy[j];
    }
    first += c;
  }
}

void compute(const SoftmaxLoss& spec, const OpCase& op_case, const OpData& data, OpResult& result) {
  const int64_t n = op_case.x[0].rows(), classes = op_case.x[0].c;
  const auto labels = std::count_if(data.x[1].begin(), data.x[1].end(), [](double label) { return label >= 0; });
  for (int64_t i = 0; i < n; ++i) {
    const double* logits = &data.x[0][i * classes];
    const double largest = *std::max_element(logits, logits + classes);
    double sum = 0;
    for (int64_t j = 0; j < classes; ++j) sum += std::exp(logits[j] - largest);
    const auto label = static_cast<int64_t>(data.x[1][i]);
    result.y[i] = label < 0 ? 0.0 : std::log(sum) + largest - logits[label];
    if (!std::isfinite(result.y[i])) result.first_bad_step = static_cast<int64_t>(op_case.step);
    for (int64_t j = 0; j < classes && is_training(op_case) && label >= 0; ++j) {
      const double probability = std::exp(logits[j] - largest) / sum;
      result.dx[0][i * classes + j] = spec.weight * (probability - (j == label)) / static_cast<double>(labels);
    }
  }
}

template <class Spec>
void compute(const Spec&, const OpCase& op_case, const OpData&, OpResult&) {
  throw UnsupportedError("There is no reference here for " + name_of(op_case) + ".");
}

// The function that the finite differences differentiate.
double objective(const OpCase& op_case, const OpData& data, const OpResult& result) {
  double sum = 0;
  if (const auto* loss = std::get_if<SoftmaxLoss>(&op_case.spec)) {
    for (const double y : result.y) sum += y;
    const auto labels = std::count_if(data.x[1].begin(), data.x[1].end(), [](double label) { return label >= 0; });
    return loss->weight * sum / static_cast<double>(labels);
  }
  for (size_t i = 0; i < result.y.size(); ++i) sum += result.y[i] * data.dy[i];
  return sum;
}

// Central differences at up to `samples` of the values, against `gradient`.
void expect_gradient_proven(const OpCase& op_case, OpData& data, Values& values, const Values& gradient,
                            const Reference& of, int64_t samples, const std::string& name) {
  ASSERT_EQ(gradient.size(), values.size()) << name;
  const auto count = static_cast<int64_t>(values.size());
  const int64_t step = std::max<int64_t>(1, count / samples) | 1;  // odd: visits every column of an even matrix
  double largest = 0;
  for (const double value : gradient) largest = std::max(largest, std::abs(value));
  for (int64_t i = 0; i < count; i += step) {
    const double original = values[i], h = 1e-5 * std::max(1.0, std::abs(original));
    values[i] = original + h;
    const double above = objective(op_case, data, of(op_case, data));
    values[i] = original - h;
    const double below = objective(op_case, data, of(op_case, data));
    values[i] = original;
    EXPECT_NEAR(gradient[i], (above - below) / (2 * h), 1e-6 * std::max(largest, 1.0)) << name << "[" << i << "]";
  }
}

}  // namespace

double activate(Activation activation, double z) {
  switch (activation) {
    case Activation::kNone:
      return z;
    case Activation::kRelu:
      return z < 0 ? 0.0 : z;
    case Activation::kSigmoid:
      return 1 / (1 + std::exp(-z));
  }
  return NAN;
}

double activation_slope(Activation activation, double y) {
  switch (activation) {
    case Activation::kNone:
      return 1;
    case Activation::kRelu:
      return y > 0 ? 1.0 : 0.0;
    case Activation::kSigmoid:
      return y * (1 - y);
  }
  return NAN;
}

OpResult reference(const OpCase& op_case, const OpData& data) {
  OpResult result;
  result.y.assign(output_shape(op_case.spec, op_case.x).elements(), 0.0);
  if (is_training(op_case)) {
    result.dx.resize(data.x.size());
    for (size_t i = 0; i < data.x.size(); ++i) {
      if (input_dtype(op_case, i) != DType::kI32) result.dx[i].assign(data.x[i].size(), 0.0);
    }
    for (const Values& parameter : data.w) result.dw.emplace_back(parameter.size(), 0.0);
  }
  std::visit([&](const auto& spec) { compute(spec, op_case, data, result); }, op_case.spec);
  for (const Values& term : data.dx_terms) {
    for (size_t i = 0; i < term.size(); ++i) result.dx[0][i] += term[i];
  }
  return result;
}

void expect_gradients_proven(const OpCase& op_case, const OpData& data, const Reference& of, int64_t samples) {
  const OpResult result = of(op_case, data);
  OpData moved = data;
  for (size_t i = 0; i < moved.x.size(); ++i) {
    if (result.dx.at(i).empty()) continue;
    expect_gradient_proven(op_case, moved, moved.x[i], result.dx[i], of, samples, "dx" + std::to_string(i));
  }
  for (size_t i = 0; i < moved.w.size(); ++i) {
    expect_gradient_proven(op_case, moved, moved.w[i], result.dw.at(i), of, samples, "dw" + std::to_string(i));
  }
}

Difference difference(std::span<const double> actual, std::span<const double> expected) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  if (actual.size() != expected.size()) return {kInfinity, kInfinity};
  Difference error, size;
  for (size_t i = 0; i < actual.size(); ++i) {
    const double difference = actual[i] - expected[i];
    if (actual[i] == expected[i]) continue;  // infinities included
    if (std::isnan(difference)) return {kInfinity, kInfinity};
    error.max = std::max(error.max, std::abs(difference));
    error.rms += difference * difference;
  }
  for (const double value : expected) {
    size.max = std::max(size.max, std::abs(value));
    size.rms += value * value;
  }
  if (size.max == 0) return {error.max, std::sqrt(error.rms / std::max(1.0, static_cast<double>(actual.size())))};
  return {error.max / size.max, std::sqrt(error.rms / size.rms)};
}

double dw_tolerance(const Tolerance& tolerance, std::string_view implementation) {
  constexpr double kRounding = 4e-3;
  const bool rounds = implementation.find("(rounded to bf16)") != std::string_view::npos;
  return rounds ? std::max(tolerance.dw, kRounding) : tolerance.dw;
}

void expect_close(const OpResult& actual, const OpResult& expected, const Tolerance& tolerance) {
  EXPECT_LE(difference(actual.y, expected.y).max, tolerance.y) << "y";
  EXPECT_EQ(actual.first_bad_step, expected.first_bad_step);
  const auto compare = [](const std::vector<Values>& a, const std::vector<Values>& b, double allowed,
                          const char* name) {
    ASSERT_EQ(a.size(), b.size()) << name;
    for (size_t i = 0; i < a.size(); ++i) EXPECT_LE(difference(a[i], b[i]).max, allowed) << name << i;
  };
  compare(actual.dx, expected.dx, tolerance.dx, "dx");
  compare(actual.dw, expected.dw, dw_tolerance(tolerance, actual.implementation), "dw");
  if (!expected.state.empty()) compare(actual.state, expected.state, tolerance.state, "state");
}

void expect_matches(Backend& backend, const OpCase& op_case, const OpData& data, const Tolerance& tolerance,
                    const Reference& of, const Runs& runs) {
  SCOPED_TRACE(name_of(op_case));
  OpResult expected = of(op_case, data);
  if (!op_case.has_backward) {
    expected.dx.clear();
    expected.dw.clear();
  }
  for (size_t i = 0; i < op_case.wants_dx.size() && i < expected.dx.size(); ++i) {
    if (!op_case.wants_dx[i]) expected.dx[i].clear();
  }
  expect_close(run_op(backend, op_case, data, runs), expected, tolerance);
}

}  // namespace bn::test
