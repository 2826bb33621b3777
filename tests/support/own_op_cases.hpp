// The cases that every backend's own kernels must pass, and how close to the reference they must come.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "support/op_case.hpp"
#include "support/reference.hpp"

namespace bn::test {

std::vector<OpCase> batch_norm_cases(BatchNormImplementation implementation);
// Batch norms that only custom kernels can do: fused activations, strided rows, one row of pixels a batch.
std::vector<OpCase> custom_batch_norm_cases();
std::vector<OpCase> activation_cases();  // alone, and with a bias
std::vector<OpCase> pool_cases();
std::vector<OpCase> summing_pool_cases();  // whose backward adds other terms to dx
std::vector<OpCase> local_response_norm_cases();
std::vector<OpCase> dropout_cases();
std::vector<OpCase> concat_cases();
std::vector<OpCase> softmax_loss_cases();

// In f32 the error is that of rounding inside; in bf16 mostly that of storing the result with 8 bits.
Tolerance tolerance_of(const OpCase& op_case);

// Names for INSTANTIATE_TEST_SUITE_P: cases whose names are the same differ by their number.
std::string numbered_name(const testing::TestParamInfo<OpCase>& parameter);

// Each case in f32 and in bf16.
std::vector<OpCase> in_both_types(const std::vector<OpCase>& cases);

}  // namespace bn::test
