#include "support/reference.hpp"

#include <cmath>

#include "bn/error.hpp"

namespace bn::test {
namespace {

struct Geometry {
  Shape x, y;
  int64_t kernel = 1, stride = 1, pad = 0;
};

// Calls visit(index in y, in x, in w [o, kh, kw, i]) for every product of a convolution.
template <class Visit>
void for_each_product(const Geometry& g, Visit visit) {
  for (int64_t n = 0; n < g.y.n; ++n) {
    for (int64_t oh = 0; oh < g.y.h; ++oh) {
      for (int64_t ow = 0; ow < g.y.w; ++ow) {
        for (int64_t o = 0; o < g.y.c; ++o) {
          const int64_t y = ((n * g.y.h + oh) * g.y.w + ow) * g.y.c + o;
          for (int64_t kh = 0; kh < g.kernel; ++kh) {
            const int64_t ih = oh * g.stride - g.pad + kh;
            if (ih < 0 || ih >= g.x.h) continue;
            for (int64_t kw = 0; kw < g.kernel; ++kw) {
              const int64_t iw = ow * g.stride - g.pad + kw;
              if (iw < 0 || iw >= g.x.w) continue;
              const int64_t x = ((n * g.x.h + ih) * g.x.w + iw) * g.x.c;
              const int64_t w = ((o * g.kernel + kh) * g.kernel + kw) * g.x.c;
              for (int64_t i = 0; i < g.x.c; ++i) visit(y, x + i, w + i);
            }
          }
        }
      }
    }
  }
}

void convolve(const Geometry& g, const OpData& data, const Values& w, OpResult& result) {
  const Values& x = data.x[0];
  for_each_product(g, [&](int64_t y_at, int64_t x_at, int64_t w_at) { result.y[y_at] += x[x_at] * w[w_at]; });
}

// dx and dw of a convolution with weights w; both start at zero.
void differentiate(const Geometry& g, const OpData& data, const Values& w, Values& dx, Values& dw) {
  const Values& x = data.x[0];
  for_each_product(g, [&](int64_t y_at, int64_t x_at, int64_t w_at) {
    dx[x_at] += data.dy[y_at] * w[w_at];
    dw[w_at] += data.dy[y_at] * x[x_at];
  });
}

// The batch norm (or bias) and activation that an op has absorbed, applied after it: parameters from index `first` on.
void apply_folded(const std::optional<Folded>& folded, const OpData& data, size_t first, int64_t channels, Values& y) {
  if (!folded) return;
  for (size_t i = 0; i < y.size(); ++i) {
    const size_t c = i % static_cast<size_t>(channels);
    double z = y[i];
    if (folded->eps) {
      z = (z - data.state[0][c]) / std::sqrt(data.state[1][c] + *folded->eps);
      z = data.w[first][c] * z + data.w[first + 1][c];
    } else {
      z += data.w[first][c];
    }
    y[i] = activate(folded->activation, z);
  }
}

bool is_training(const OpCase& op_case) { return op_case.phase == Phase::kTrain; }

OpResult empty_result(const OpCase& op_case, const OpData& data) {
  OpResult result;
  result.y.assign(output_shape(op_case.spec, op_case.x).elements(), 0.0);
  if (!is_training(op_case)) return result;
  result.dx.emplace_back(data.x[0].size(), 0.0);
  for (const Values& parameter : data.w) result.dw.emplace_back(parameter.size(), 0.0);
  return result;
}

void compute(const Conv2d& spec, const OpCase& op_case, const OpData& data, OpResult& result) {
  const Geometry g{op_case.x[0], output_shape(op_case.spec, op_case.x), spec.kernel, spec.stride, spec.pad};
  convolve(g, data, data.w[0], result);
  apply_folded(spec.folded, data, 1, spec.out_channels, result.y);
  if (is_training(op_case)) differentiate(g, data, data.w[0], result.dx[0], result.dw[0]);
}

// A fully connected layer is a convolution whose kernel is the whole (flattened) image.
void compute(const Linear& spec, const OpCase& op_case, const OpData& data, OpResult& result) {
  const int64_t n = op_case.x[0].n;
  const Geometry g{{n, 1, 1, op_case.x[0].elements() / n}, {n, 1, 1, spec.out_features}};
  convolve(g, data, data.w[0], result);
  apply_folded(spec.folded, data, 1, spec.out_features, result.y);
  if (is_training(op_case)) differentiate(g, data, data.w[0], result.dx[0], result.dw[0]);
}

// Computes literally in two steps: each channel by its own `depth_multiplier` filters, then a 1x1 convolution.
void compute(const SeparableConv2d& spec, const OpCase& op_case, const OpData& data, OpResult& result) {
  const Shape x = op_case.x[0], y = output_shape(op_case.spec, op_case.x);
  const int64_t multiplier = spec.depth_multiplier;
  const Shape middle{y.n, y.h, y.w, x.c * multiplier};
  const Geometry pointwise{middle, y};
  // The depthwise step as a dense convolution whose weights w[i * multiplier + k, kh, kw, j] are zero for j != i.
  const Geometry depthwise{x, middle, spec.kernel, spec.stride, spec.pad};
  const int64_t area = spec.kernel * spec.kernel;
  const auto dense_index = [&](int64_t position, int64_t i, int64_t k) {
    return ((i * multiplier + k) * area + position) * x.c + i;
  };
  const auto for_each_weight = [&](auto visit) {
    for (int64_t position = 0, index = 0; position < area; ++position) {
      for (int64_t i = 0; i < x.c; ++i) {
        for (int64_t k = 0; k < multiplier; ++k, ++index) visit(index, dense_index(position, i, k));
      }
    }
  };
  Values dense_w(middle.c * area * x.c, 0.0);
  for_each_weight([&](int64_t index, int64_t dense) { dense_w[dense] = data.w[0][index]; });

  OpResult hidden;
  hidden.y.assign(middle.elements(), 0.0);
  convolve(depthwise, data, dense_w, hidden);
  OpData second;
  second.x.push_back(hidden.y);
  second.dy = data.dy;
  convolve(pointwise, second, data.w[1], result);
  apply_folded(spec.folded, data, 2, spec.out_channels, result.y);
  if (!is_training(op_case)) return;

  Values dhidden(middle.elements(), 0.0), dense_dw(dense_w.size(), 0.0);
  differentiate(pointwise, second, data.w[1], dhidden, result.dw[1]);
  OpData first;
  first.x = data.x;
  first.dy = dhidden;
  differentiate(depthwise, first, dense_w, result.dx[0], dense_dw);
  for_each_weight([&](int64_t index, int64_t dense) { result.dw[0][index] = dense_dw[dense]; });
}

template <class Spec>
void compute(const Spec&, const OpCase& op_case, const OpData&, OpResult&) {
  throw UnsupportedError("There is no reference here for " + name_of(op_case) + ".");
}

}  // namespace

OpResult reference_conv(const OpCase& op_case, const OpData& data) {
  OpResult result = empty_result(op_case, data);
  std::visit([&](const auto& spec) { compute(spec, op_case, data, result); }, op_case.spec);
  return result;
}

}  // namespace bn::test
