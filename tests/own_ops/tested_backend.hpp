// The tests of this folder hold for our own ops on every backend, and for those that a library computes for it. Each
// program defines the functions declared here for its backend: test_cpu, test_cuda (on a GPU, where there is one) and
// test_simt (the CUDA kernels on the simulated device, and doubles in place of the libraries).
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "support/error_message.hpp"
#include "support/op_cases.hpp"

namespace bn::test {

std::string why_untestable();  // here; empty if it is not
Backend& tested_backend();
std::vector<BatchNormImplementation> tested_batch_norms();
Runs runs_of(int64_t elements);  // `elements`: the size of a test's tensors

// For the ops of a library.
Backend& library_backend();
std::vector<BatchNormImplementation> library_batch_norms();
Tolerance library_tolerance(const OpCase& op_case);
std::vector<OpCase> affordable(std::vector<OpCase> cases);  // those that do not take too long

inline OpResult run_op(const OpCase& op_case, const OpData& data) {
  return run_op(tested_backend(), op_case, data, runs_of(op_case.x[0].elements()));
}

inline void expect_matches(const OpCase& op_case, const OpData& data, const Tolerance& tolerance) {
  expect_matches(tested_backend(), op_case, data, tolerance, reference, runs_of(op_case.x[0].elements()));
}

template <class ExpectedError>
void expect_refused(const OpCase& op_case, const char* why) {
  EXPECT_CONTAINS(error_message<ExpectedError>([&] { run_op(op_case, make_data(op_case)); }), why);
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
