// The one kernel that only cuDNN's batch normalisation needs.
#include <gtest/gtest.h>

#include "cuda/backend.hpp"
#include "cuda/kernels/weights.hpp"
#include "own_ops/tested_backend.hpp"

namespace bn::test {
namespace {

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
