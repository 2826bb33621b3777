// Ops on activations that are stored in bf16 and multiplied in f32.
#include "cpu/widened.hpp"

#include <gtest/gtest.h>

#include "cpu/bfloat16_math.hpp"
#include "cpu/cpu_backend.hpp"
#include "support/op_cases.hpp"
#include "support/reference.hpp"

namespace bn::test {
namespace {

// Nothing but what is stored is rounded: not the weights, nor the gradients that come in f32.
Tolerance widened_tolerance(const OpCase& op_case) {
  const auto stored = [](DType dtype) { return dtype == DType::kF32 ? 5e-6 : 4e-3; };
  return {.y = stored(output_dtype(op_case)), .dx = stored(op_case.dtype), .dw = 5e-6};
}

// One thread, so that chunks are small.
Backend& widening_backend() {
  static std::unique_ptr<Backend> backend =
      make_cpu_backend({.threads = 1, .winograd = false, .bfloat16_math = Bfloat16Math::kF32});
  return *backend;
}

OpCase bf16_case(const OpSpec& spec, const Shape& x) { return {.spec = spec, .x = {x}, .dtype = DType::kBf16}; }

// More images than a chunk takes, and a last chunk that is not full.
std::vector<OpCase> cases_of_many_chunks() {
  std::vector<OpCase> cases = {
      bf16_case(Conv2d{.out_channels = 33}, {13, 28, 28, 48}),
      bf16_case(Conv2d{.out_channels = 24, .kernel = 3, .pad = 1}, {11, 28, 28, 17}),
      bf16_case(Conv2d{.out_channels = 19, .kernel = 5, .pad = 2}, {31, 15, 13, 33}),
      bf16_case(SeparableConv2d{.out_channels = 24}, {13, 57, 55, 3}),
      bf16_case(Linear{.out_features = 29}, {3001, 1, 1, 65}),
  };
  cases.push_back(cases.back());
  cases.back().y_dtype = DType::kF32;
  cases.back().label = "f32_out";
  return cases;
}

std::vector<OpCase> widened_cases() {
  std::vector<OpCase> cases = cases_of_many_chunks();
  for (const auto& group : {convolution_cases(), folded_convolution_cases(), separable_convolution_cases(),
                            linear_cases(), folded_linear_cases()}) {
    for (const OpCase& op_case : group) {
      if (op_case.dtype == DType::kBf16) cases.push_back(op_case);
    }
  }
  return cases;
}

class WidenedCase : public testing::TestWithParam<OpCase> {};

TEST_P(WidenedCase, MatchesReference) {
  const OpCase& op_case = GetParam();
  expect_matches(widening_backend(), op_case, make_data(op_case), widened_tolerance(op_case), reference_conv);
}
INSTANTIATE_TEST_SUITE_P(Widened, WidenedCase, testing::ValuesIn(widened_cases()),
                         [](const auto& tested) { return name_of(tested.param); });

TEST(Widened, SharesScratchAmongChunks) {
  const auto scratch_bytes = [](int64_t images) {
    const Shape x{images, 28, 28, 192}, y{images, 28, 28, 64};
    const OpDesc desc{.name = "conv",
                      .x = {TensorDesc::dense(DType::kBf16, x)},
                      .y = TensorDesc::dense(DType::kBf16, y),
                      .wants_dx = {true}};
    return widening_backend().make_op(Conv2d{.out_channels = 64}, desc)->scratch_bytes();
  };
  EXPECT_LT(scratch_bytes(64), 2 * scratch_bytes(1));
}

TEST(Bfloat16Math, IsChosenOnlyWhereThatIsLeftToUs) {
  EXPECT_EQ(cpu::chosen_math(Bfloat16Math::kBf16), Bfloat16Math::kBf16);
  EXPECT_EQ(cpu::chosen_math(Bfloat16Math::kF32), Bfloat16Math::kF32);
  const Bfloat16Math chosen = cpu::chosen_math(Bfloat16Math::kAutomatic);
  const std::string name = cpu::instruction_set_name();
  if (name.find("amx") != std::string::npos) {
    EXPECT_EQ(chosen, Bfloat16Math::kBf16);
  } else if (name.ends_with("avx512_core") || name.ends_with("vnni")) {
    EXPECT_EQ(chosen, Bfloat16Math::kF32);
  }
  EXPECT_NE(chosen, Bfloat16Math::kAutomatic);
}

// Other bits on another kind of CPU are told from the run's record.
TEST(Bfloat16Math, IsPartOfWhatComputes) {
  const std::string text = ", bf16 multiplied in f32";
  EXPECT_NE(make_cpu_backend({.bfloat16_math = Bfloat16Math::kF32})->computation().find(text), std::string::npos);
  EXPECT_EQ(make_cpu_backend({.bfloat16_math = Bfloat16Math::kBf16})->computation().find(text), std::string::npos);
}

}  // namespace
}  // namespace bn::test
