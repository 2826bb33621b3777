// The GPU under test, shared by this program's tests. Without one they are skipped, and say why.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "bn/error.hpp"
#include "cuda/backend.hpp"

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

// Base of a fixture: testing::Test or testing::TestWithParam<...>.
template <class Base = testing::Test>
class CudaFixture : public Base {
 protected:
  void SetUp() override {
    if (!gpu_under_test().backend) GTEST_SKIP() << gpu_under_test().missing;
  }
};

}  // namespace bn::test
