// sgd_step, blend, sum and load_images against scalar formulas.
#include <gtest/gtest.h>

#include <cmath>

#include "bn/error.hpp"
#include "bn/rng.hpp"
#include "cpu/cpu_backend.hpp"
#include "support/error_message.hpp"
#include "support/own_op_cases.hpp"

namespace bn::test {
namespace {

Values draws(int64_t count, uint64_t seed, DType dtype = DType::kF32) {
  RandomStream stream(seed, hash_name("updates_test"));
  Values values(count);
  for (double& value : values) value = stream.normal();
  round_to_storage(values, dtype);
  return values;
}

GuardedTensor tensor_of(const Values& values, const Shape& shape, DType dtype = DType::kF32, int64_t gap = 0) {
  GuardedTensor tensor(cpu_backend(), dtype, shape, gap);
  tensor.write(values);
  return tensor;
}

GuardedTensor vector_of(const Values& values) {
  return tensor_of(values, vector_shape(static_cast<int64_t>(values.size())));
}

class Sgd : public testing::TestWithParam<MomentumKind> {};

TEST_P(Sgd, FollowsItsFormula) {
  for (const int64_t count : {1, 19, 1000, 50'001}) {
    const Values w = draws(count, 1), v = draws(count, 2), g = draws(count, 3);
    const GuardedTensor value = vector_of(w), velocity = vector_of(v), gradient = vector_of(g);
    constexpr double kRate = 0.05, kMomentum = 0.9, kL2 = 0.01;
    StepState step{.now = {.step = 7, .learning_rate = kRate}};
    cpu_backend().sgd_step({.value = value.tensor(),
                            .velocity = velocity.tensor(),
                            .gradient = gradient.tensor(),
                            .momentum = kMomentum,
                            .l2 = kL2,
                            .kind = GetParam(),
                            .step = &step});
    Values expected_w(count), expected_v(count);
    for (int64_t i = 0; i < count; ++i) {
      const double slope = g[i] + kL2 * w[i];
      expected_v[i] = kMomentum * v[i] - kRate * slope;
      expected_w[i] =
          w[i] + (GetParam() == MomentumKind::kClassical ? expected_v[i] : kMomentum * expected_v[i] - kRate * slope);
    }
    EXPECT_LT(difference(value.read(), expected_w).max, 2e-7);
    EXPECT_LT(difference(velocity.read(), expected_v).max, 2e-7);
    EXPECT_EQ(step.first_bad_step, -1);
    for (const auto* tensor : {&value, &velocity, &gradient}) tensor->expect_guards_intact("sgd");
  }
}

TEST_P(Sgd, ReportsTheFirstStepWithANonFiniteValue) {
  constexpr int64_t kCount = 40'001;
  for (const int64_t place : {int64_t{0}, int64_t{20'000}, kCount - 1}) {
    for (const double bad : {std::nan(""), 1e39, -1e39}) {
      Values g = draws(kCount, 3);
      g[place] = bad;
      const GuardedTensor value = vector_of(draws(kCount, 1)), velocity = vector_of(draws(kCount, 2)),
                          gradient = vector_of(g);
      StepState step{.now = {.step = 7, .learning_rate = 0.1F}};
      SgdUpdate update{.value = value.tensor(),
                       .velocity = velocity.tensor(),
                       .gradient = gradient.tensor(),
                       .kind = GetParam(),
                       .step = &step};
      cpu_backend().sgd_step(update);
      EXPECT_EQ(step.first_bad_step, 7);
      step.now.step = 8;
      cpu_backend().sgd_step(update);
      EXPECT_EQ(step.first_bad_step, 7) << "a later step must not replace it";
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Kinds, Sgd, testing::Values(MomentumKind::kClassical, MomentumKind::kNesterov),
                         [](const auto& parameter) {
                           return parameter.param == MomentumKind::kClassical ? "classical" : "nesterov";
                         });

TEST(Blend, MovesTowardsTheBatch) {
  for (const int64_t count : {3, 64, 40'000}) {
    const Values running = draws(count, 1), batch = draws(count, 2), factor = draws(count, 3);
    const GuardedTensor batch_tensor = vector_of(batch), factor_tensor = vector_of(factor);
    Values plain(count), scaled(count);
    for (int64_t i = 0; i < count; ++i) {
      plain[i] = running[i] + 0.1 * (batch[i] - running[i]);
      scaled[i] = running[i] + 0.1 * (factor[i] * batch[i] - running[i]);
    }
    const GuardedTensor first = vector_of(running), second = vector_of(running);
    const float weight = 0.1F;
    cpu_backend().blend(first.tensor(), batch_tensor.tensor(), {}, &weight);
    cpu_backend().blend(second.tensor(), batch_tensor.tensor(), factor_tensor.tensor(), &weight);
    EXPECT_LT(difference(first.read(), plain).max, 2e-7);
    EXPECT_LT(difference(second.read(), scaled).max, 2e-7);
    first.expect_guards_intact("running");
  }
}

TEST(Blend, CopiesWithWeightOne) {
  const Values batch = draws(37, 2);
  const GuardedTensor running = vector_of(Values(37, 1e10));
  const GuardedTensor batch_tensor = vector_of(batch);
  const float weight = 1.0F;
  cpu_backend().blend(running.tensor(), batch_tensor.tensor(), {}, &weight);
  EXPECT_EQ(running.read(), batch);
}

TEST(Sum, AddsStridedTensorsOfBothTypes) {
  for (const DType dtype : {DType::kF32, DType::kBf16}) {
    for (const Shape& shape : {Shape{2, 14, 14, 160}, Shape{1, 3, 2, 7}}) {
      std::vector<GuardedTensor> tensors;
      std::vector<Tensor> sources;
      Values expected(shape.elements(), 0.0);
      for (int i = 0; i < 4; ++i) {
        const Values values = draws(shape.elements(), i, dtype);
        for (size_t j = 0; j < values.size(); ++j) expected[j] += values[j];
        tensors.push_back(tensor_of(values, shape, dtype, 5 * i));
        sources.push_back(tensors.back().tensor());
      }
      const GuardedTensor destination(cpu_backend(), dtype, shape, 9);
      const double tolerance = dtype == DType::kF32 ? 1e-6 : 4e-3;
      cpu_backend().sum(destination.tensor(), sources);
      EXPECT_LT(difference(destination.read(), expected).max, tolerance);
      destination.expect_guards_intact("destination");
      cpu_backend().sum(sources[0], sources);
      EXPECT_LT(difference(tensors[0].read(), expected).max, tolerance) << "into its first term";
      tensors[0].expect_guards_intact("first term");
    }
  }
}

TEST(Sum, RefusesTooManyTerms) {
  const GuardedTensor tensor = vector_of(Values(8, 1.0));
  const std::string message = error_message<UnsupportedError>(
      [&] { cpu_backend().sum(tensor.tensor(), std::vector<Tensor>(17, tensor.tensor())); });
  EXPECT_NE(message.find("1 to 16 terms, not 17"), std::string::npos) << message;
}

TEST(LoadImages, NormalisesEachChannel) {
  const ImageNormalization colour{.mean = {124.0F, 116.0F, 104.0F}, .scale = {0.017F, 0.018F, 0.0175F}};
  const ImageNormalization grey{.mean = {127.5F}, .scale = {1.0F / 127.5F}};
  for (const DType dtype : {DType::kF32, DType::kBf16}) {
    for (const Shape& shape : {Shape{2, 5, 7, 3}, Shape{4, 64, 64, 3}, Shape{60, 28, 28, 1}}) {
      const ImageNormalization& normalization = shape.c == 3 ? colour : grey;
      Values pixels(shape.elements()), expected(shape.elements());
      for (size_t i = 0; i < pixels.size(); ++i) {
        pixels[i] = static_cast<double>(i * 37 % 256);
        expected[i] = (pixels[i] - normalization.mean[i % shape.c]) * normalization.scale[i % shape.c];
      }
      const GuardedTensor images = tensor_of(pixels, shape, DType::kU8), x(cpu_backend(), dtype, shape);
      cpu_backend().load_images(x.tensor(), images.tensor(), normalization);
      EXPECT_LT(difference(x.read(), expected).max, dtype == DType::kF32 ? 1e-6 : 4e-3);
      x.expect_guards_intact("x");
    }
  }
}

TEST(LoadImages, RefusesWhatDoesNotFit) {
  const GuardedTensor images(cpu_backend(), DType::kU8, {2, 4, 4, 3}), x(cpu_backend(), DType::kF32, {2, 4, 4, 3});
  const GuardedTensor other(cpu_backend(), DType::kF32, {2, 4, 5, 3});
  const ImageNormalization grey{.mean = {0.0F}, .scale = {1.0F}};
  const ImageNormalization colour{.mean = {0, 0, 0}, .scale = {1, 1, 1}};
  const std::string normalization =
      error_message<ConfigError>([&] { cpu_backend().load_images(x.tensor(), images.tensor(), grey); });
  EXPECT_NE(normalization.find("3 channels, but their normalisation has 1 means"), std::string::npos) << normalization;
  const std::string shape =
      error_message<ShapeError>([&] { cpu_backend().load_images(other.tensor(), images.tensor(), colour); });
  EXPECT_NE(shape.find("2x4x4x3 cannot be loaded into an input of shape 2x4x5x3"), std::string::npos) << shape;
}

}  // namespace
}  // namespace bn::test
