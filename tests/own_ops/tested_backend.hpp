// The tests of this folder hold for our own ops on every backend. Each program defines the functions declared here for
// its backend: test_cpu, test_cuda (on a GPU, where there is one) and test_simt (the CUDA kernels on the simulated
// device).
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "support/op_cases.hpp"

namespace bn::test {

std::string why_untestable();  // here; empty if it is not
Backend& tested_backend();
std::vector<BatchNormImplementation> tested_batch_norms();
Runs runs_of(int64_t elements);  // `elements`: the size of a test's tensors

inline OpResult run_op(const OpCase& op_case, const OpData& data) {
  return run_op(tested_backend(), op_case, data, runs_of(op_case.x[0].elements()));
}

inline void expect_matches(const OpCase& op_case, const OpData& data, const Tolerance& tolerance) {
  expect_matches(tested_backend(), op_case, data, tolerance, reference, runs_of(op_case.x[0].elements()));
}

// Base of a fixture: testing::Test or testing::TestWithParam<...>.
template <class Base = testing::Test>
class OwnOpTest : public Base {
 protected:
  void SetUp() override {
    if (const std::string why = why_untestable(); !why.empty()) GTEST_SKIP() << why;
  }
};

}  // namespace bn::test
