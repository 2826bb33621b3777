// Our part of the ops that a library computes: simt/libraries.cpp stands in for the libraries.
#include <gtest/gtest.h>

#include "own_ops/tested_backend.hpp"
#include "support/library_op_cases.hpp"
#include "support/reference_conv.hpp"
#include "support/widened_images.hpp"

namespace bn::test {
namespace {

// The loops are slow, and the network's own rows show nothing more than small shapes.
bool is_small(const OpCase& op_case) { return multiply_adds(op_case.spec, op_case.x) < 3'000'000; }

std::vector<OpCase> cases() {
  std::vector<OpCase> all;
  for (const auto& cases : {convolution_cases(), folded_convolution_cases(), separable_convolution_cases(),
                            linear_cases(), folded_linear_cases()}) {
    for (const OpCase& op_case : cases) {
      if (is_small(op_case)) all.push_back(op_case);
    }
  }
  return all;
}

// In bf16 whatever is stored between two of our steps is rounded by 2^-8: composed or scaled weights, the output
// before its bias.
Tolerance tolerance(const OpCase& op_case) {
  if (op_case.dtype == DType::kF32) return {.y = 5e-6, .dx = 5e-6, .dw = 5e-6};
  return {.y = 1e-2, .dx = 8e-3, .dw = 5e-6};
}

class LibraryOps : public testing::TestWithParam<OpCase> {};

TEST_P(LibraryOps, MatchReference) {
  const OpCase& op_case = GetParam();
  const bool is_separable = std::holds_alternative<SeparableConv2d>(op_case.spec);
  const OpData data = is_separable ? make_data(op_case) : exact_data(op_case);
  expect_matches(tested_backend(), op_case, data, tolerance(op_case), reference_conv, runs_of(op_case.x[0].elements()));
}

INSTANTIATE_TEST_SUITE_P(Cases, LibraryOps, testing::ValuesIn(cases()),
                         [](const auto& tested) { return name_of(tested.param) + "_" + std::to_string(tested.index); });

TEST(WidenedImages, TakeImagesInWiderRows) {
  for (const OpCase& op_case : widened_image_cases()) {
    const OpData data = exact_data(op_case);
    WidenedImages op(tested_backend(), op_case, data);
    op.run();
    op.expect_close_to(reference_conv(op_case, data), exact_tolerance(op_case));
  }
}

}  // namespace
}  // namespace bn::test
