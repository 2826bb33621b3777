#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "bn/error.hpp"
#include "own_ops/tested_backend.hpp"

namespace bn::test {
namespace {

using DropoutBehaviour = OwnOpTest<>;

Values mask_of(const OpCase& op_case) {
  OpData data = make_data(op_case);
  for (double& x : data.x[0]) x = 1.0;
  return run_op(op_case, data).y;
}

TEST_F(DropoutBehaviour, DropsTheGivenShare) {
  constexpr double kRate = 0.3;
  const OpCase op_case{.spec = Dropout{.rate = kRate}, .x = {{100, 1, 1, 1000}}};
  const Values mask = mask_of(op_case);
  const auto dropped = std::count(mask.begin(), mask.end(), 0.0);
  const double deviation = std::sqrt(1e5 * kRate * (1 - kRate));
  EXPECT_NEAR(static_cast<double>(dropped), 1e5 * kRate, 4 * deviation);
  for (const double factor : mask) EXPECT_TRUE(factor == 0.0 || std::abs(factor - 1 / (1 - kRate)) < 1e-6);
}

TEST_F(DropoutBehaviour, DrawsAnotherMaskForAnotherStepSeedOrOp) {
  const OpCase op_case{.spec = Dropout{.rate = 0.5F}, .x = {{4, 1, 1, 256}}};
  OpCase step = op_case, seed = op_case, name = op_case;
  step.step += uint64_t{1} << 32;
  seed.seed = 99;
  name.label = "other";
  const Values mask = mask_of(op_case);
  EXPECT_EQ(mask_of(op_case), mask);
  for (const OpCase& other : {step, seed, name}) EXPECT_NE(mask_of(other), mask) << other;
}

// Image i of part p is image i * parts + p of the step: what it loses does not depend on the division. Of 7 values a
// draw serves parts of two images.
TEST_F(DropoutBehaviour, AnImageLosesTheSameValuesInEveryDivisionOfTheStep) {
  for (const int64_t values : {256, 7}) {
    for (const DType dtype : {DType::kF32, DType::kBf16}) {
      OpCase whole{.spec = Dropout{.rate = 0.5F}, .x = {{8, 1, 1, values}}, .dtype = dtype};
      whole.op = "dropout";
      const Values mask = mask_of(whole);
      for (const int64_t parts : {2, 4}) {
        OpCase one = whole;
        one.x = {{8 / parts, 1, 1, values}};
        one.parts = parts;
        for (one.part = 0; one.part < parts; ++one.part) {
          const Values mine = mask_of(one);
          for (int64_t i = 0; i < 8 / parts; ++i) {
            const auto begin = mine.begin() + i * values;
            EXPECT_TRUE(std::equal(begin, begin + values, mask.begin() + (i * parts + one.part) * values))
                << one << ": image " << i << " of part " << one.part;
          }
        }
      }
    }
  }
}

TEST_F(DropoutBehaviour, RefusesAnImpossibleRate) {
  const OpCase op_case{.spec = Dropout{.rate = 1.0F}, .x = {{4, 1, 1, 8}}};
  expect_refused<ConfigError>(op_case, "at least 0 and less than 1, not 1");
}

}  // namespace
}  // namespace bn::test
