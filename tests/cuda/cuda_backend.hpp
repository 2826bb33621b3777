// The GPU under test, shared by this program's tests. Without one they are skipped, and say why.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <string_view>

#include "bn/error.hpp"
#include "cuda/backend.hpp"
#include "support/op_case.hpp"

namespace bn::test {

struct GpuUnderTest {
  std::unique_ptr<cuda::CudaBackend> backend{};
  std::string missing{};  // why there is none
};

inline const GpuUnderTest& gpu_under_test() {
  static GpuUnderTest gpu = [] {
    GpuUnderTest made;
    try {
      made.backend = std::make_unique<cuda::CudaBackend>(CudaOptions{});
    } catch (const UnsupportedError& error) {
      made.missing = error.what();
    }
    return made;
  }();
  return gpu;
}

// Call it only after a check of gpu_under_test().missing, as CudaTest does.
inline cuda::CudaBackend& cuda_backend() { return *gpu_under_test().backend; }

// `work` compares an op with the reference. Where the library may have none for the case, its refusal skips the test.
template <class Work>
void skip_where_refused(bool may_be_refused, const Work& work) {
  try {
    work();
  } catch (const UnsupportedError& error) {
    if (!may_be_refused || std::string_view(error.what()).find("cuDNN has no ") != 0) throw;
    GTEST_SKIP() << error.what();
  }
}

// True for a bf16 convolution with odd numbers of channels, which no network of ours has.
inline bool has_odd_channels(const OpCase& op_case) {
  return op_case.dtype == DType::kBf16 && (op_case.x[0].c % 2 != 0 || output_shape(op_case.spec, op_case.x).c % 2 != 0);
}

// Base of a fixture: testing::Test or testing::TestWithParam<...>.
template <class Base = testing::Test>
class CudaFixture : public Base {
 protected:
  void SetUp() override {
    if (!gpu_under_test().backend) GTEST_SKIP() << gpu_under_test().missing;
  }
};

}  // namespace bn::test
