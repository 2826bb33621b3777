// The backend under test, shared by this program's tests.
#pragma once

#include <gtest/gtest.h>

#include <memory>

#include "bn/backend.hpp"
#include "bn/cpu_backend.hpp"
#include "bn/error.hpp"
#include "support/op_case.hpp"

namespace bn::test {

inline Backend& cpu_backend() {
  static std::unique_ptr<Backend> backend = make_cpu_backend({});
  return *backend;
}

// Convolutions and linear layers by the library alone, in the type of the activations; winograd_test.cpp and
// widened_test.cpp have the rest.
inline Backend& direct_backend() {
  static std::unique_ptr<Backend> backend = make_cpu_backend({.winograd = false, .bfloat16_math = Bfloat16Math::kBf16});
  return *backend;
}

// True if this type can be tested here; on a CPU without AVX-512 bf16 cannot.
inline bool supports(DType dtype) {
  try {
    cpu_backend().require(dtype);
    return true;
  } catch (const Error&) {
    return false;
  }
}

// Skips the cases that cannot be tested here.
class CpuCase : public testing::TestWithParam<OpCase> {
 protected:
  void SetUp() override {
    if (!supports(GetParam().dtype)) GTEST_SKIP() << "this CPU has no AVX-512, which bf16 needs";
  }
};

}  // namespace bn::test
