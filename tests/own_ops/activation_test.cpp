#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "bn/error.hpp"
#include "own_ops/tested_backend.hpp"

namespace bn::test {
namespace {

using ActivationBehaviour = OwnOpTest<>;

OpCase evaluated(Activation activation, int64_t count) {
  return {.spec = Activate{activation}, .x = {{1, 1, 1, count}}, .phase = Phase::kEvaluate};
}

TEST_F(ActivationBehaviour, SigmoidIsAccurateOverItsWholeRange) {
  const OpCase op_case = evaluated(Activation::kSigmoid, 4001);
  OpData data = make_data(op_case);
  for (int i = 0; i < 4001; ++i) data.x[0][i] = (i - 2000) * 0.05;  // -100 .. 100
  round_to_storage(op_case, data);
  const OpResult result = run_op(op_case, data);
  for (int i = 0; i < 4001; ++i) {
    const double expected = activate(Activation::kSigmoid, data.x[0][i]);
    EXPECT_NEAR(result.y[i], expected, 3e-7 * expected + 2e-38) << "at " << data.x[0][i];
  }
}

TEST_F(ActivationBehaviour, PassesNonFiniteValuesOn) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  for (const DType dtype : {DType::kF32, DType::kBf16}) {
    for (const Activation activation : {Activation::kRelu, Activation::kSigmoid}) {
      OpCase op_case = evaluated(activation, 19);
      op_case.dtype = dtype;
      OpData data = make_data(op_case);
      data.x[0][1] = data.x[0][17] = NAN;
      data.x[0][2] = kInfinity;
      data.x[0][3] = -kInfinity;
      const OpResult result = run_op(op_case, data);
      EXPECT_TRUE(std::isnan(result.y[1]));
      EXPECT_TRUE(std::isnan(result.y[17]));
      EXPECT_EQ(result.y[2], activation == Activation::kRelu ? kInfinity : 1.0);
      EXPECT_EQ(result.y[3], 0.0);
    }
  }
}

TEST_F(ActivationBehaviour, RefusesMixedTypes) {
  OpCase op_case = evaluated(Activation::kRelu, 8);
  op_case.y_dtype = DType::kBf16;
  expect_refused<UnsupportedError>(op_case, "both must be f32 or both bf16");
}

}  // namespace
}  // namespace bn::test
