// The references themselves: their gradients against finite differences, and the harness against known mistakes.
#include "support/reference.hpp"

#include <gtest/gtest-spi.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "cpu/cpu_backend.hpp"
#include "support/op_cases.hpp"

namespace bn::test {
namespace {

// Small shapes: each difference evaluates the whole op twice.
std::vector<OpCase> gradient_cases() {
  const auto one = [](const OpSpec& spec, const Shape& x) { return OpCase{.spec = spec, .x = {x}}; };
  std::vector<OpCase> cases;
  for (const Activation activation : {Activation::kNone, Activation::kRelu, Activation::kSigmoid}) {
    cases.push_back(one(BatchNorm{.activation = activation}, {3, 4, 3, 5}));
    cases.push_back(one(BatchNorm{.scope = BatchNormScope::kPerActivation, .activation = activation}, {4, 2, 3, 5}));
    cases.push_back(one(BiasActivation{activation}, {2, 3, 3, 5}));
    cases.push_back(one(Activate{activation}, {2, 3, 3, 5}));
  }
  cases.push_back(one(BatchNorm{}, {2, 1, 1, 6}));
  for (const PoolKind kind : {PoolKind::kMax, PoolKind::kAverage}) {
    for (const PoolBorder border : {PoolBorder::kExcludePadding, PoolBorder::kIncludePadding}) {
      cases.push_back(one(Pool2d{.kind = kind, .kernel = 3, .stride = 2, .pad = 1, .border = border}, {2, 6, 5, 3}));
      cases.push_back(one(Pool2d{.kind = kind, .kernel = 3, .stride = 2, .border = border}, {2, 6, 5, 3}));
    }
  }
  cases.push_back(one(LocalResponseNorm{.alpha = 2.0F}, {2, 2, 2, 9}));
  cases.push_back(one(LocalResponseNorm{.size = 4, .alpha = 1.0F, .beta = 0.5F, .k = 2.0F}, {2, 2, 2, 9}));
  cases.push_back(one(Dropout{.rate = 0.3F}, {3, 2, 2, 7}));
  cases.push_back({.spec = Concat{}, .x = {{2, 2, 3, 4}, {2, 2, 3, 1}, {2, 2, 3, 5}}});
  cases.push_back({.spec = SoftmaxLoss{.weight = 0.3F}, .x = {{7, 1, 1, 6}, {7, 1, 1, 1}}});
  return cases;
}

class ReferenceTest : public testing::TestWithParam<OpCase> {};

TEST_P(ReferenceTest, GradientsAreProven) { expect_gradients_proven(GetParam(), make_data(GetParam())); }

INSTANTIATE_TEST_SUITE_P(Cases, ReferenceTest, testing::ValuesIn(gradient_cases()), numbered_name);

TEST(Reference, GradientsOfConvolutionsAndLinearAreProven) {
  for (const OpCase& op_case : std::vector<OpCase>{
           {.spec = Conv2d{.out_channels = 3, .kernel = 3, .stride = 2, .pad = 1}, .x = {{2, 5, 4, 3}}},
           {.spec = Conv2d{.out_channels = 2, .kernel = 2}, .x = {{2, 5, 4, 3}}},
           {.spec = Conv2d{.out_channels = 4}, .x = {{2, 5, 4, 3}}},
           {.spec = SeparableConv2d{.out_channels = 4, .kernel = 3, .stride = 2, .pad = 1, .depth_multiplier = 2},
           .x = {{2, 6, 5, 3}}},
           {.spec = Linear{.out_features = 3}, .x = {{4, 2, 3, 5}}},
       }) {
    SCOPED_TRACE(name_of(op_case));
    expect_gradients_proven(op_case, make_data(op_case), reference_conv);
  }
}

TEST(Reference, AWrongGradientIsFound) {
  static const OpCase kCase{.spec = BatchNorm{}, .x = {{3, 2, 2, 4}}};
  EXPECT_NONFATAL_FAILURE(
      {
        expect_gradients_proven(
            kCase, make_data(kCase),
            [](const OpCase& op_case, const OpData& data) {
              OpResult result = reference(op_case, data);
              result.dx[0][0] += 1e-4;
              return result;
            },
            1);
      },
      "dx0");
}

TEST(Difference, IsRelativeToTheSizeOfTheExpected) {
  const Values expected = {1, -4, 2}, actual = {1, -4.2, 2};
  EXPECT_NEAR(difference(actual, expected).max, 0.05, 1e-12);
  EXPECT_NEAR(difference(actual, expected).rms, 0.2 / std::sqrt(21.0), 1e-12);
  EXPECT_EQ(difference(expected, expected).max, 0);
  EXPECT_NEAR(difference(Values{0.5, 0}, Values{0, 0}).max, 0.5, 1e-12) << "absolute where all is zero";
}

TEST(Difference, IsInfiniteForNanAndForAnotherSize) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity(), kNan = std::numeric_limits<double>::quiet_NaN();
  EXPECT_EQ(difference(Values{1, kNan}, Values{1, 2}).max, kInfinity);
  EXPECT_EQ(difference(Values{1, 2}, Values{1, kNan}).max, kInfinity);
  EXPECT_EQ(difference(Values{1}, Values{1, 2}).max, kInfinity);
  EXPECT_EQ(difference(Values{kInfinity}, Values{kInfinity}).max, 0);
}

TEST(GuardedTensor, KeepsValuesOfEveryType) {
  for (const DType dtype : {DType::kF32, DType::kBf16, DType::kU8, DType::kI32}) {
    const Shape shape{1, 2, 3, 5};
    GuardedTensor tensor(cpu_backend(), dtype, shape, 3);
    Values values(shape.elements());
    for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<double>(i);
    tensor.write(values);
    EXPECT_EQ(tensor.read(), values) << name_of(dtype);
    tensor.expect_guards_intact("untouched");
    tensor.fill_garbage();
    EXPECT_NE(tensor.read(), values) << name_of(dtype);
  }
}

TEST(GuardedTensor, FindsWritesBeforeBehindAndBetweenRows) {
  static GuardedTensor tensor(cpu_backend(), DType::kF32, {1, 1, 2, 4}, 2);
  for (const int64_t place : {-1, 4, 5, 10}) {
    tensor.fill_garbage();
#ifdef __SANITIZE_ADDRESS__
    if (place == 4 || place == 10) {  // the others share eight bytes with elements
      EXPECT_DEATH(tensor.tensor().as<float>()[place] = 0, "AddressSanitizer: ");
      continue;
    }
#endif
    tensor.tensor().as<float>()[place] = 0;
    EXPECT_NONFATAL_FAILURE(tensor.expect_guards_intact("y"), "y: wrote outside its elements");
  }
}

}  // namespace
}  // namespace bn::test
