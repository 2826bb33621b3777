// Copies of weights between types and widths, many in one launch, and the one kernel that only cuDNN's batch
// normalisation needs.
#include <gtest/gtest.h>

#include "cuda/backend.hpp"
#include "cuda/kernels/weights.hpp"
#include "own_ops/tested_backend.hpp"

namespace bn::test {
namespace {

struct CopyCase {
  DType from = DType::kF32, to = DType::kF32;
  int64_t rows = 1, from_width = 1, to_width = 1;
};

// Sizes around the 8 elements of a thread and the 2048 of a block, and images' weights, whose rows are widened.
std::vector<CopyCase> copy_cases() {
  std::vector<CopyCase> cases;
  for (const DType from : {DType::kF32, DType::kBf16}) {
    for (const DType to : {DType::kF32, DType::kBf16}) {
      for (const int64_t count : {1, 7, 8, 9, 2047, 2048, 2049, 5000}) cases.push_back({from, to, 1, count, count});
      for (int i = 0; i < 100; ++i) cases.push_back({from, to, 3, 5, 5});
      cases.push_back({from, to, 49, 3, 8});
      cases.push_back({from, to, 49, 8, 3});
      cases.push_back({from, to, 700, 3, 4});
    }
  }
  return cases;
}

Values source_of(const CopyCase& copied, double first) {
  Values values(static_cast<size_t>(copied.rows * copied.from_width));
  for (size_t i = 0; i < values.size(); ++i) values[i] = first + 0.37 * static_cast<double>(i);
  round_to_storage(values, copied.from);
  return values;
}

Values expected_of(const CopyCase& copied, const Values& from) {
  Values to;
  for (int64_t row = 0; row < copied.rows; ++row) {
    for (int64_t i = 0; i < copied.to_width; ++i) {
      to.push_back(i < copied.from_width ? from[static_cast<size_t>(row * copied.from_width + i)] : 0.0);
    }
  }
  round_to_storage(to, copied.to);
  return to;
}

using CopyWeights = OwnOpTest<>;

TEST_F(CopyWeights, WritesEachInItsTypeAndWidth) {
  const auto& backend = dynamic_cast<cuda::CudaBackend&>(tested_backend());
  const std::vector<CopyCase> cases = copy_cases();
  std::vector<GuardedTensor> from, to;
  std::vector<Values> expected;
  std::vector<cuda::WeightCopy> copies;
  for (const CopyCase& copied : cases) {
    const Values source = source_of(copied, static_cast<double>(copies.size()));
    from.emplace_back(tested_backend(), copied.from, Shape{1, 1, copied.rows, copied.from_width});
    from.back().write(source);
    to.emplace_back(tested_backend(), copied.to, Shape{1, 1, copied.rows, copied.to_width});
    expected.push_back(expected_of(copied, source));
    copies.push_back({.from = from.back().tensor().data,
                      .to = to.back().tensor().data,
                      .from_dtype = copied.from,
                      .to_dtype = copied.to,
                      .rows = copied.rows,
                      .from_width = copied.from_width,
                      .to_width = copied.to_width});
  }
  cuda::copy_weights(backend.context(), copies);
  for (size_t i = 0; i < cases.size(); ++i) {
    EXPECT_EQ(to[i].read(), expected[i]) << i;
    to[i].expect_guards_intact("copy");
  }
}

TEST_F(CopyWeights, TakesWhatStartsOffSixteenBytes) {
  const auto& backend = dynamic_cast<cuda::CudaBackend&>(tested_backend());
  const CopyCase copied{DType::kF32, DType::kBf16, 1, 64, 64};
  const Values source = source_of(copied, 1.0);
  GuardedTensor from(tested_backend(), DType::kF32, vector_shape(64)),
      to(tested_backend(), DType::kBf16, vector_shape(65));
  from.write(source);
  to.write(Values(65, -1.0));
  const cuda::WeightCopy copy{.from = from.tensor().data,
                              .to = to.tensor().as<Bfloat16>() + 1,
                              .to_dtype = DType::kBf16,
                              .from_width = 64,
                              .to_width = 64};
  cuda::copy_weights(backend.context(), {&copy, 1});
  Values expected = expected_of(copied, source);
  expected.insert(expected.begin(), -1.0);
  EXPECT_EQ(to.read(), expected);
}

using ScaleValues = OwnOpTest<>;

TEST_F(ScaleValues, MultipliesEachAndNoMore) {
  const auto& backend = dynamic_cast<cuda::CudaBackend&>(tested_backend());
  for (const int64_t count : {1, 255, 257, 1024}) {
    Values values(static_cast<size_t>(count)), expected;
    for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<double>(i) - 3;
    for (const double value : values) expected.push_back(0.75 * value);
    GuardedTensor tensor(tested_backend(), DType::kF32, vector_shape(count));
    tensor.write(values);
    cuda::scale_values(backend.context(), tensor.tensor().as<float>(), 0.75F, count);
    EXPECT_EQ(tensor.read(), expected);
    tensor.expect_guards_intact("values");
  }
}

}  // namespace
}  // namespace bn::test
