#include "cpu/winograd.hpp"

#include <gtest/gtest.h>

#include "cpu/cpu_backend.hpp"
#include "support/error_message.hpp"
#include "support/op_cases.hpp"
#include "support/reference.hpp"

namespace bn::test {
namespace {

constexpr auto kName = "winograd_f43";

// The transforms round: on the networks' shapes by up to 1.3e-5 (y), 1.5e-5 (dx) and 7e-6 (dw). What is stored in bf16
// is rounded once more, by 2^-9; weights and dw are f32 all the way.
constexpr Tolerance kWinogradTolerance{.y = 2e-5, .dx = 2e-5, .dw = 1e-5};
constexpr Tolerance kWinogradInBf16{.y = 4e-3, .dx = 4e-3, .dw = 1e-5};
const Tolerance& winograd_tolerance(const OpCase& op_case) {
  return op_case.dtype == DType::kBf16 ? kWinogradInBf16 : kWinogradTolerance;
}

using WinogradBackend = ConvolutionBackend<cpu::WinogradConvolution>;

WinogradBackend& winograd_backend() {
  static WinogradBackend backend(CpuOptions{});
  return backend;
}

OpCase conv(const Shape& x, int64_t out_channels, int64_t pad = 1) {
  return {.spec = Conv2d{.out_channels = out_channels, .kernel = 3, .pad = pad}, .x = {x}};
}

std::vector<OpCase> winograd_cases() {
  std::vector<OpCase> cases;
  for (const OpCase& op_case : convolution_cases()) {
    const auto& spec = std::get<Conv2d>(op_case.spec);
    if (spec.kernel == 3 && spec.stride == 1) cases.push_back(op_case);
  }
  // Tiles cut off on one side, on the other, on both; channels that fill no vector; single tiles, pixels and channels.
  for (const OpCase& op_case :
       {conv({1, 4, 4, 16}, 16), conv({2, 5, 9, 17}, 33), conv({3, 8, 3, 1}, 5), conv({1, 1, 7, 19}, 1),
        conv({5, 2, 2, 31}, 15), conv({1, 13, 10, 7}, 24), conv({2, 7, 6, 20}, 12, 0), conv({1, 3, 3, 9}, 8, 0),
        conv({2, 5, 4, 9}, 10, 2), conv({1, 56, 56, 64}, 192), conv({3, 14, 14, 96}, 128), conv({256, 2, 2, 8}, 8),
        conv({128, 4, 4, 40}, 24)}) {
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

class WinogradCase : public testing::TestWithParam<OpCase> {};

TEST_P(WinogradCase, MatchesReference) {
  expect_matches(winograd_backend(), GetParam(), make_data(GetParam()), winograd_tolerance(GetParam()), reference_conv);
}
INSTANTIATE_TEST_SUITE_P(Conv2d, WinogradCase, testing::ValuesIn(winograd_cases()),
                         [](const auto& tested) { return name_of(tested.param); });

// As behind a ReLU: nothing is negative, so the transforms' sums cancel.
TEST(Conv2dWinograd, IsAsCloseWhereInputsHaveAMean) {
  const OpCase op_case = conv({2, 14, 14, 192}, 64);
  OpData data = make_data(op_case);
  for (double& value : data.x[0]) value = std::abs(value) + 1;
  round_to_storage(op_case, data);
  expect_matches(winograd_backend(), op_case, data, kWinogradTolerance, reference_conv);
}

TEST(Conv2dWinograd, EvaluationWithoutFoldingEqualsTraining) {
  OpCase op_case = conv({2, 9, 9, 24}, 40);
  op_case.phase = Phase::kEvaluate;
  expect_matches(winograd_backend(), op_case, make_data(op_case), winograd_tolerance(op_case), reference_conv);
}

TEST(Conv2dWinograd, FoldsBatchNormAndActivation) {
  for (const std::optional<float> eps : {std::optional<float>(1e-3F), std::optional<float>()}) {
    for (const Activation activation : {Activation::kNone, Activation::kRelu, Activation::kSigmoid}) {
      OpCase op_case = conv({2, 9, 7, 24}, 40);
      std::get<Conv2d>(op_case.spec).folded = Folded{.eps = eps, .activation = activation};
      op_case.phase = Phase::kEvaluate;
      for (const DType dtype : {DType::kF32, DType::kBf16}) {
        op_case.dtype = dtype;
        expect_matches(winograd_backend(), op_case, make_data(op_case), winograd_tolerance(op_case), reference_conv);
      }
    }
  }
}

// What is summed up across chunks has one order. Blocks are as many as threads, which the library's products with
// AVX-512 do not show.
TEST(Conv2dWinograd, GivesTheSameBitsOnAnyNumberOfThreads) {
  if (!cpu::allows_avx512()) GTEST_SKIP() << "without AVX-512 products depend on the size of a block";
  OpCase stored_in_bf16 = conv({5, 14, 14, 64}, 96);
  stored_in_bf16.dtype = DType::kBf16;
  for (const OpCase& op_case : {conv({5, 28, 28, 64}, 96), conv({3, 7, 7, 24}, 40), stored_in_bf16}) {
    const OpData data = make_data(op_case);
    const OpResult expected = run_op(winograd_backend(), op_case, data);
    for (const int threads : {1, 2, 3}) {
      WinogradBackend backend(CpuOptions{.threads = threads});
      const OpResult other = run_op(backend, op_case, data);
      EXPECT_EQ(other.y, expected.y) << threads;
      EXPECT_EQ(other.dx, expected.dx) << threads;
      EXPECT_EQ(other.dw, expected.dw) << threads;
    }
  }
}

// A batch of any size; the reference would take too long, so direct convolution stands in for it.
TEST(Conv2dWinograd, TakesBatchesOfAnySize) {
  const std::unique_ptr<Backend> direct = make_cpu_backend({.winograd = false});
  for (const int64_t n : {1, 2, 31, 32, 128, 256}) {
    const OpCase op_case = conv({n, 7, 7, 32}, 48);
    const OpData data = make_data(op_case);
    expect_close(run_op(winograd_backend(), op_case, data), run_op(*direct, op_case, data), kWinogradTolerance);
  }
}

OpDesc desc_of(const OpCase& op_case) {
  return {.name = "conv",
          .x = {TensorDesc::dense(op_case.dtype, op_case.x[0])},
          .y = TensorDesc::dense(op_case.dtype, output_shape(op_case.spec, op_case.x)),
          .has_backward = op_case.phase == Phase::kTrain,
          .wants_dx = {true}};
}

TEST(Conv2dWinograd, MapsShareTilesInTraining) {
  const auto tiles = [](const OpCase& op_case) {
    return cpu::TileGrid(cpu::forward_of({.kernel = 3, .pad = 1}, desc_of(op_case))).count();
  };
  const auto count = [&](const Shape& x) {
    OpCase op_case = conv(x, 8);
    const int64_t in_training = tiles(op_case);
    op_case.phase = Phase::kEvaluate;
    return std::pair(in_training, tiles(op_case));
  };
  EXPECT_EQ(count({32, 14, 14, 8}), std::pair(450L, 512L));
  EXPECT_EQ(count({128, 2, 2, 8}), std::pair(72L, 128L));
  EXPECT_EQ(count({31, 14, 14, 8}), std::pair(4 * 116L, 496L));  // a prime number lies in one column
  EXPECT_EQ(count({32, 16, 16, 8}), std::pair(512L, 512L));
  EXPECT_EQ(count({32, 7, 7, 8}), std::pair(128L, 128L));
}

TEST(Conv2dWinograd, EvaluationOfAnImageDoesNotDependOnItsPlaceInTheBatch) {
  if (!cpu::allows_avx512()) GTEST_SKIP() << "without AVX-512 products depend on the size of a block";
  OpCase op_case = conv({6, 14, 14, 24}, 40);
  op_case.phase = Phase::kEvaluate;
  OpData data = make_data(op_case);
  const auto image = static_cast<int64_t>(data.x[0].size() / 6);
  for (int64_t i = 1; i < 6; ++i) std::copy_n(data.x[0].begin(), image, data.x[0].begin() + i * image);
  const auto y = run_op(winograd_backend(), op_case, data).y;
  const auto output = static_cast<int64_t>(y.size() / 6);
  for (int64_t i = 1; i < 6; ++i) EXPECT_TRUE(std::equal(y.begin(), y.begin() + output, y.begin() + i * output)) << i;
}

std::string implementation(Backend& backend, const OpCase& op_case) {
  return backend.make_op(op_case.spec, desc_of(op_case))->implementation();
}

TEST(Conv2dWinograd, IsTakenWhereItIsQuickerAndWanted) {
  const std::unique_ptr<Backend> backend = make_cpu_backend({}), direct = make_cpu_backend({.winograd = false});
  const OpCase wide = conv({32, 28, 28, 64}, 96);
  EXPECT_EQ(implementation(*backend, wide), kName);
  EXPECT_NE(implementation(*direct, wide), kName);
  OpCase other = conv({128, 2, 2, 192}, 320);
  EXPECT_EQ(implementation(*backend, other), kName);
  other.phase = Phase::kEvaluate;  // each map has a tile of its own
  EXPECT_NE(implementation(*backend, other), kName);
  other = wide;
  std::get<Conv2d>(other.spec).stride = 2;
  EXPECT_NE(implementation(*backend, other), kName);
  other = wide;
  std::get<Conv2d>(other.spec).kernel = 5;
  EXPECT_NE(implementation(*backend, other), kName);
  other = wide;
  other.dtype = DType::kBf16;
  EXPECT_EQ(implementation(*make_cpu_backend({.bfloat16_math = Bfloat16Math::kF32}), other), kName);
  if (!cpu::allows_avx512()) return;
  EXPECT_NE(implementation(*make_cpu_backend({.bfloat16_math = Bfloat16Math::kBf16}), other), kName);
}

TEST(Conv2dWinograd, RefusesStridedRowsAndFoldingWithBackward) {
  const OpCase op_case = conv({32, 28, 28, 64}, 96);
  OpDesc strided = desc_of(op_case);
  strided.y.row_stride = 128;
  EXPECT_EQ(error_message<UnsupportedError>([&] { winograd_backend().make_op(op_case.spec, strided); }),
            "This op needs dense tensors, not a slice of wider rows.");
  Conv2d folded = std::get<Conv2d>(op_case.spec);
  folded.folded = Folded{};
  EXPECT_EQ(error_message<UnsupportedError>([&] { winograd_backend().make_op(folded, desc_of(op_case)); }),
            "An op with folded batch normalisation has no backward pass: folding is for evaluation.");
}

}  // namespace
}  // namespace bn::test
