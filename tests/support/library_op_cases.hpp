// The cases that ops done by a library must pass on every backend, and how close to the reference they must come.
#pragma once

#include <string>
#include <vector>

#include "support/error_message.hpp"
#include "support/op_case.hpp"
#include "support/reference.hpp"

namespace bn::test {

std::vector<OpCase> convolution_cases();
std::vector<OpCase> folded_convolution_cases();
std::vector<OpCase> separable_convolution_cases();
std::vector<OpCase> linear_cases();
std::vector<OpCase> folded_linear_cases();
std::vector<OpCase> library_batch_norm_cases(BatchNormImplementation implementation);

// Weights and dy that the type can hold, so that neither packing nor backward rounds anything.
OpData exact_data(const OpCase& op_case);
Tolerance exact_tolerance(const OpCase& op_case);
// In bf16 the composed weights and the outputs are rounded (2^-8 each); dw0 and dw1 follow from the gradient of the
// dense weights, which is f32 or rounded as the op says.
Tolerance separable_tolerance(const OpCase& op_case);
Tolerance library_batch_norm_tolerance(const OpCase& op_case);

// The message with which the backend refuses this batch norm.
template <class ExpectedError>
std::string batch_norm_refusal(Backend& backend, const BatchNorm& spec, const Shape& x) {
  const TensorDesc dense = TensorDesc::dense(DType::kF32, x);
  const OpDesc desc{.name = "bn", .x = {dense}, .y = dense, .wants_dx = {true}};
  return error_message<ExpectedError>([&] { backend.make_op(spec, desc); });
}

}  // namespace bn::test
