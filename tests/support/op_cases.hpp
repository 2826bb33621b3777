// The cases that ops must pass on every backend, and how close to the reference they must come.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "support/op_case.hpp"
#include "support/reference.hpp"

namespace bn::test {

// --- own_op_cases.cpp: of every backend's own kernels.

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

// --- library_op_cases.cpp: of ops done by a library.

std::vector<OpCase> convolution_cases();
std::vector<OpCase> folded_convolution_cases();
std::vector<OpCase> separable_convolution_cases();
std::vector<OpCase> linear_cases();
std::vector<OpCase> folded_linear_cases();
std::vector<OpCase> library_batch_norm_cases(BatchNormImplementation implementation);

bool is_folded(const OpSpec& spec);

// Weights and dy that the type can hold, so that neither packing nor backward rounds anything.
OpData exact_data(const OpCase& op_case);
Tolerance exact_tolerance(const OpCase& op_case);
// In bf16 the composed weights and the outputs are rounded (2^-8 each); dw0 and dw1 follow from the gradient of the
// dense weights, which is f32 or rounded as the op says.
Tolerance separable_tolerance(const OpCase& op_case);
Tolerance library_batch_norm_tolerance(const OpCase& op_case);

}  // namespace bn::test
