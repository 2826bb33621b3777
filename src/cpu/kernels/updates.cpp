// Updates of parameters, and softmax.
#include "cpu/kernels/tables.hpp"
#include "cpu/kernels/vectors.hpp"

namespace bn::cpu::BN_CPU_ISA {
namespace {

constexpr int32_t kFirstNonFinite = 0x7f800000;  // read as integers, all finite magnitudes lie below

template <MomentumKind Kind>
bool sgd_of(float* value, float* velocity, const float* gradient, const SgdUpdate& factors, int64_t count) {
  const float rate = factors.step->now.learning_rate, momentum = factors.momentum, l2 = factors.l2;
  Int largest = {};
  for_columns(count, [&](int64_t j, auto part) {
    const Float old = load(value + j, part);
    const Float step = rate * (load(gradient + j, part) + l2 * old);
    const Float v = momentum * load(velocity + j, part) - step;
    const Float updated = old + (Kind == MomentumKind::kNesterov ? momentum * v - step : v);
    store(velocity + j, v, part);
    store(value + j, updated, part);
    const Int magnitude = reinterpret_cast<Int>(updated) & 0x7fffffff;
    largest = magnitude > largest ? magnitude : largest;
  });
  bool non_finite = false;
  for (int i = 0; i < kLanes; ++i) non_finite |= largest[i] >= kFirstNonFinite;
  return non_finite;
}

bool sgd(float* value, float* velocity, const float* gradient, const SgdUpdate& factors, int64_t count) {
  return factors.kind == MomentumKind::kNesterov
             ? sgd_of<MomentumKind::kNesterov>(value, velocity, gradient, factors, count)
             : sgd_of<MomentumKind::kClassical>(value, velocity, gradient, factors, count);
}

void blend(float* running, const float* batch, const float* factor, float weight, int64_t count) {
  for_columns(count, [&](int64_t j, auto part) {
    const Float old = load(running + j, part);
    const Float scaled = factor == nullptr ? load(batch + j, part) : load(batch + j, part) * load(factor + j, part);
    store(running + j, weight == 1.0F ? scaled : old + weight * (scaled - old), part);
  });
}

double softmax(float* probabilities, const float* logits, int64_t classes) {
  float largest = logits[0];
  for (int64_t j = 1; j < classes; ++j) largest = logits[j] > largest ? logits[j] : largest;
  Float sums = {};
  for_columns(classes, [&](int64_t j, auto part) {
    store(probabilities + j, exponential(load(logits + j, part) - largest), part);
    sums += load(probabilities + j, part);  // lanes past the end read as 0
  });
  double sum = 0;
  for (int i = 0; i < kLanes; ++i) sum += static_cast<double>(sums[i]);
  const auto inverse = static_cast<float>(1.0 / sum);
  for_columns(classes,
              [&](int64_t j, auto part) { store(probabilities + j, load(probabilities + j, part) * inverse, part); });
  return static_cast<double>(largest) + __builtin_log(sum);
}

void scale(float* y, const float* x, float factor, int64_t count) {
  for_columns(count, [&](int64_t j, auto part) { store(y + j, load(x + j, part) * factor, part); });
}

}  // namespace

extern constinit const UpdateKernels kUpdates = {.sgd = sgd, .blend = blend, .softmax = softmax, .scale = scale};

}  // namespace bn::cpu::BN_CPU_ISA
