#include "cpu/amx.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "cpu/cpu_backend.hpp"
#include "support/error_message.hpp"
#include "support/op_cases.hpp"
#include "support/reference.hpp"

namespace bn::test {
namespace {

// A product of two values in two parts errs by up to 3 * 2^-18 of itself. Sums err by less of their largest value, 6e-6
// on the networks' shapes, unless there are few and their terms cancel. What is stored in bf16 is rounded by 2^-9 where
// it is written, and weights by as much where they are packed, 4e-3 together; dw is f32.
constexpr Tolerance kTolerance{.y = 1.2e-5, .dx = 1.2e-5, .dw = 1.2e-5};
constexpr Tolerance kStoredInBf16{.y = 5e-3, .dx = 5e-3, .dw = 1.2e-5};
const Tolerance& amx_tolerance(const OpCase& op_case) {
  return op_case.dtype == DType::kBf16 ? kStoredInBf16 : kTolerance;
}

using AmxBackend = ConvolutionBackend<cpu::AmxConvolution>;

class Conv2dAmxOnce : public testing::Test {
 protected:
  void SetUp() override {
    if (!cpu::has_amx()) GTEST_SKIP() << "this machine, or the instruction set in use, has no AMX";
  }
  AmxBackend backend_{CpuOptions{}};
};

class Conv2dAmx : public Conv2dAmxOnce, public testing::WithParamInterface<OpCase> {};

OpCase conv(const Shape& x, int64_t out_channels, int64_t kernel, int64_t pad) {
  return {.spec = Conv2d{.out_channels = out_channels, .kernel = kernel, .pad = pad}, .x = {x}};
}

std::vector<OpCase> cases() {
  std::vector<OpCase> cases;
  for (const OpCase& op_case : convolution_cases()) {
    const auto& spec = std::get<Conv2d>(op_case.spec);
    if (spec.stride == 1 && spec.pad < spec.kernel) cases.push_back(op_case);
  }
  // Channels that fill no tile and more than one; places that end within a tile; single pixels and channels; blocks and
  // chunks of every kind.
  for (const OpCase& op_case :
       {conv({1, 4, 4, 16}, 16, 3, 1),    conv({2, 5, 9, 17}, 33, 3, 1),    conv({3, 8, 3, 1}, 5, 3, 1),
        conv({1, 1, 7, 19}, 1, 3, 1),     conv({5, 2, 2, 31}, 15, 3, 1),    conv({1, 13, 10, 7}, 24, 3, 1),
        conv({2, 7, 6, 20}, 12, 3, 0),    conv({1, 3, 3, 9}, 8, 3, 0),      conv({2, 5, 4, 9}, 10, 3, 2),
        conv({1, 56, 56, 64}, 192, 3, 1), conv({3, 14, 14, 96}, 128, 3, 1), conv({256, 2, 2, 8}, 8, 3, 1),
        conv({2, 11, 6, 40}, 24, 5, 2),   conv({1, 1, 1, 3}, 2, 1, 0),      conv({7, 3, 5, 33}, 63, 1, 0),
        conv({2, 28, 28, 192}, 64, 1, 0), conv({3, 9, 7, 608}, 352, 1, 0),  conv({1, 6, 5, 16}, 16, 2, 0),
        conv({1, 6, 5, 16}, 16, 2, 1),    conv({2, 6, 9, 32}, 64, 3, 0),    conv({2, 20, 20, 64}, 32, 3, 2),
        conv({1, 20, 20, 32}, 32, 2, 0),  conv({40, 7, 7, 64}, 32, 3, 1)}) {
    for (const DType dtype : {DType::kF32, DType::kBf16}) {
      cases.push_back(op_case);
      cases.back().dtype = dtype;
    }
  }
  for (size_t i = cases.size() - 2; i < cases.size(); ++i) {
    cases[i].wants_dx = {false};
    cases[i].label = "no_dx";
  }
  return cases;
}

TEST_P(Conv2dAmx, MatchesReference) {
  expect_matches(backend_, GetParam(), make_data(GetParam()), amx_tolerance(GetParam()), reference_conv);
}
INSTANTIATE_TEST_SUITE_P(Cases, Conv2dAmx, testing::ValuesIn(cases()),
                         [](const auto& tested) { return name_of(tested.param); });

TEST_F(Conv2dAmxOnce, FoldsBatchNormAndActivation) {
  for (const std::optional<float> eps : {std::optional<float>(1e-3F), std::optional<float>()}) {
    for (const Activation activation : {Activation::kNone, Activation::kRelu, Activation::kSigmoid}) {
      for (OpCase op_case : {conv({2, 9, 7, 24}, 40, 3, 1), conv({2, 9, 7, 64}, 64, 1, 0)}) {
        std::get<Conv2d>(op_case.spec).folded = Folded{.eps = eps, .activation = activation};
        op_case.phase = Phase::kEvaluate;
        for (const DType dtype : {DType::kF32, DType::kBf16}) {
          op_case.dtype = dtype;
          expect_matches(backend_, op_case, make_data(op_case), amx_tolerance(op_case), reference_conv);
        }
      }
    }
  }
}

// Every sum has one order, whatever the blocks and chunks are.
TEST_F(Conv2dAmxOnce, GivesTheSameBitsOnAnyNumberOfThreads) {
  OpCase stored_in_bf16 = conv({5, 14, 14, 64}, 96, 3, 1);
  stored_in_bf16.dtype = DType::kBf16;
  for (const OpCase& op_case : {conv({5, 28, 28, 64}, 96, 3, 1), conv({32, 14, 14, 320}, 96, 1, 0), stored_in_bf16}) {
    const OpData data = make_data(op_case);
    const OpResult expected = run_op(backend_, op_case, data);
    for (const int threads : {1, 2, 3}) {
      AmxBackend backend(CpuOptions{.threads = threads});
      const OpResult other = run_op(backend, op_case, data);
      EXPECT_EQ(other.y, expected.y) << threads;
      EXPECT_EQ(other.dx, expected.dx) << threads;
      EXPECT_EQ(other.dw, expected.dw) << threads;
    }
  }
}

// bf16 ends nearly where f32 does, so large numbers have their parts, too. What is not finite does not become so.
TEST_F(Conv2dAmxOnce, TakesNumbersOfAnySize) {
  OpCase op_case = conv({1, 4, 8, 64}, 64, 1, 0);
  op_case.phase = Phase::kEvaluate;
  for (const double scale : {1e30, 1e-30}) {
    OpData data = make_data(op_case);
    for (double& value : data.x[0]) value *= scale;
    round_to_storage(op_case, data);
    expect_matches(backend_, op_case, data, kTolerance, reference_conv);
  }
  OpData data = make_data(op_case);
  data.x[0][3] = std::numeric_limits<double>::infinity();
  EXPECT_FALSE(std::isfinite(run_op(backend_, op_case, data).y[5]));
}

std::string implementation(const OpCase& op_case, const CpuOptions& options = {}) {
  const OpDesc desc{.name = "conv",
                    .x = {TensorDesc::dense(op_case.dtype, op_case.x[0])},
                    .y = TensorDesc::dense(op_case.dtype, output_shape(op_case.spec, op_case.x)),
                    .phase = op_case.phase,
                    .has_backward = op_case.phase == Phase::kTrain,
                    .wants_dx = {true}};
  return make_cpu_backend(options)->make_op(op_case.spec, desc)->implementation();
}

TEST_F(Conv2dAmxOnce, IsTakenWhereItIsQuickerAndWanted) {
  const auto in_bf16 = [](OpCase op_case) {
    op_case.dtype = DType::kBf16;
    return op_case;
  };
  const auto folded = [](OpCase op_case) {
    op_case.phase = Phase::kEvaluate;
    return op_case;
  };
  const OpCase many_outputs = conv({32, 14, 14, 576}, 192, 1, 0), few_outputs = conv({32, 14, 14, 576}, 96, 1, 0);
  const OpCase window = conv({32, 14, 14, 96}, 128, 3, 1), tiny = conv({128, 4, 4, 96}, 128, 3, 1);
  EXPECT_EQ(implementation(many_outputs), "amx_bf16x3");
  EXPECT_NE(implementation(many_outputs, {.amx = false}), "amx_bf16x3");
  EXPECT_NE(implementation(few_outputs), "amx_bf16x3");
  EXPECT_EQ(implementation(folded(few_outputs)), "amx_bf16x3");
  EXPECT_EQ(implementation(window), "winograd_f43");
  EXPECT_EQ(implementation(in_bf16(window)), "amx_bf16");
  EXPECT_NE(implementation(in_bf16(window), {.amx = false}), "amx_bf16");
  EXPECT_NE(implementation(in_bf16(folded(window))), "amx_bf16");
  EXPECT_EQ(implementation(in_bf16(folded(tiny))), "amx_bf16");
  EXPECT_NE(implementation(in_bf16(many_outputs)), "amx_bf16");
  EXPECT_NE(implementation(in_bf16(window), {.bfloat16_math = Bfloat16Math::kF32}), "amx_bf16");
  EXPECT_EQ(implementation(in_bf16(many_outputs), {.bfloat16_math = Bfloat16Math::kF32}).find("amx"),
            std::string::npos);
  OpCase strided = in_bf16(window);
  std::get<Conv2d>(strided.spec).stride = 2;
  EXPECT_NE(implementation(strided), "amx_bf16");
}

TEST_F(Conv2dAmxOnce, RefusesStridedRowsAndFoldingWithBackward) {
  const OpCase op_case = conv({2, 4, 4, 64}, 96, 3, 1);
  OpDesc desc{.name = "conv",
              .x = {TensorDesc::dense(DType::kF32, op_case.x[0])},
              .y = TensorDesc::dense(DType::kF32, output_shape(op_case.spec, op_case.x)),
              .wants_dx = {true}};
  Conv2d folded = std::get<Conv2d>(op_case.spec);
  folded.folded = Folded{};
  EXPECT_EQ(error_message<UnsupportedError>([&] { backend_.make_op(folded, desc); }),
            "An op with folded batch normalisation has no backward pass: folding is for evaluation.");
  desc.y.row_stride = 128;
  EXPECT_EQ(error_message<UnsupportedError>([&] { backend_.make_op(op_case.spec, desc); }),
            "This op needs dense tensors, not a slice of wider rows.");
}

}  // namespace
}  // namespace bn::test
