// Batch normalisation that keeps its columns on the chip, by the cases of that which reads them twice.
#include <gtest/gtest.h>

#include "cuda/backend.hpp"
#include "own_ops/tested_backend.hpp"

namespace bn::test {
namespace {

Backend& on_chip_backend() {
  static cuda::CudaBackend backend{{.batch_norm_reading = BatchNormReading::kOnChip}};
  return backend;
}

std::vector<OpCase> on_chip_cases() {
  std::vector<OpCase> cases = batch_norm_cases(BatchNormImplementation::kCustom);
  for (const OpCase& op_case : custom_batch_norm_cases()) cases.push_back(op_case);
  std::erase_if(cases, [](const OpCase& op_case) { return op_case.phase == Phase::kEvaluate; });
  return cases;
}

void expect_on_chip_matches(const OpCase& op_case, const OpData& data, const Tolerance& tolerance) {
  expect_matches(on_chip_backend(), op_case, data, tolerance, reference, runs_of(op_case.x[0].elements()));
}

class BatchNormOnChip : public OwnOpTest<testing::TestWithParam<OpCase>> {};

TEST_P(BatchNormOnChip, MatchesReference) {
  expect_on_chip_matches(GetParam(), make_data(GetParam()), tolerance_of(GetParam()));
}

INSTANTIATE_TEST_SUITE_P(Cases, BatchNormOnChip, testing::ValuesIn(on_chip_cases()), numbered_name);

using BatchNormOnChipOnce = OwnOpTest<>;

TEST_F(BatchNormOnChipOnce, KeepsItsDigitsFarFromZero) {
  for (const Activation activation : {Activation::kNone, Activation::kRelu, Activation::kSigmoid}) {
    const OpCase op_case{.spec = BatchNorm{.activation = activation}, .x = {{4, 12, 12, 48}}};
    OpData data = make_data(op_case);
    for (double& x : data.x[0]) x += 1.2e4;
    round_to_storage(op_case, data);
    expect_on_chip_matches(op_case, data, {.y = 2e-6, .dx = 1e-5, .dw = 1e-5, .state = 3e-6});
  }
}

TEST_F(BatchNormOnChipOnce, IsUsedWhereItFits) {
  const auto implementation = [](const Shape& x) {
    const OpDesc desc{.x = {TensorDesc::dense(DType::kBf16, x)}, .y = TensorDesc::dense(DType::kBf16, x)};
    return on_chip_backend().make_op(BatchNorm{}, desc)->implementation();
  };
  EXPECT_EQ(implementation({32, 7, 7, 1024}), "own:on_chip");
  EXPECT_EQ(implementation({32, 14, 14, 576}), "own:on_chip_forward");
  EXPECT_EQ(implementation({32, 56, 56, 192}), "own:streamed");
}

}  // namespace
}  // namespace bn::test
