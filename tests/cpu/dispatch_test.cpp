// Every instruction set's kernels, on whichever machine can run them.
#include <gtest/gtest.h>

#include <array>
#include <bit>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <string>

#include "bn/error.hpp"
#include "cpu/cpu_backend.hpp"
#include "cpu/kernels/kernels.hpp"
#include "support/error_message.hpp"
#include "support/op_cases.hpp"
#include "support/reference.hpp"

namespace bn::test {
namespace {

class InstructionSet : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    try {
      cpu::select_kernels(cpu::kernels_of(GetParam()));
    } catch (const UnsupportedError& error) {
      GTEST_SKIP() << error.what();
    }
  }
  void TearDown() override { cpu::select_kernels(previous_); }

  void expect_all_match(const std::vector<OpCase>& cases) {
    for (const OpCase& op_case : cases) {
      Tolerance tolerance = tolerance_of(op_case);
      if (op_case.x[0].rows() == 2) tolerance.dx = 1e-2;  // see tolerance_of
      expect_matches(cpu_backend(), op_case, make_data(op_case), tolerance);
    }
  }

 private:
  const cpu::KernelTable& previous_ = cpu::kernels();
};

TEST_P(InstructionSet, IsTheOneThatRuns) { EXPECT_STREQ(cpu::kernels().instruction_set, GetParam()); }

TEST_P(InstructionSet, BatchNormMatchesReference) { expect_all_match(custom_batch_norm_cases()); }
TEST_P(InstructionSet, ActivationMatchesReference) { expect_all_match(activation_cases()); }
TEST_P(InstructionSet, PoolMatchesReference) {
  expect_all_match(pool_cases());
  expect_all_match(summing_pool_cases());
}
TEST_P(InstructionSet, LocalResponseNormMatchesReference) { expect_all_match(local_response_norm_cases()); }
TEST_P(InstructionSet, DropoutMatchesReference) { expect_all_match(dropout_cases()); }
TEST_P(InstructionSet, SoftmaxLossMatchesReference) { expect_all_match(softmax_loss_cases()); }

// Whole vectors and parts of one; tiles inside the map and across its borders.
TEST_P(InstructionSet, WinogradMatchesReference) {
  for (const int64_t pad : {0, 1}) {
    const OpCase op_case{.spec = Conv2d{.out_channels = 41, .kernel = 3, .pad = pad}, .x = {{1, 15, 17, 35}}};
    const Tolerance tolerance{.y = 2e-5, .dx = 2e-5, .dw = 2e-5};
    expect_matches(cpu_backend(), op_case, make_data(op_case), tolerance, reference_conv);
    EXPECT_EQ(run_op(cpu_backend(), op_case, make_data(op_case)).implementation, "winograd_f43");
  }
}

// Rounding to bf16, bit for bit, for every kind of float: the widths must not differ in a single result.
TEST_P(InstructionSet, RoundsToBf16AsBfloat16Does) {
  constexpr int64_t kCount = 1 << 16;
  std::vector<float> values(kCount);
  std::vector<uint8_t> pixels(kCount, 0);
  for (int64_t i = 0; i < kCount; ++i) {
    // All signs and exponents, with the mantissas around a tie.
    const uint32_t low = std::array<uint32_t, 4>{0x7fff, 0x8000, 0x8001, 0x0000}[i % 4];
    values[i] = std::bit_cast<float>(static_cast<uint32_t>(i) << 16 | low);
  }
  std::vector<Bfloat16> rounded(kCount);
  // (0 - (-value)) * 1, by the only kernel that reads f32 and writes bf16.
  std::vector<float> means(kCount), ones(kCount, 1.0F);
  for (int64_t i = 0; i < kCount; ++i) means[i] = -values[i];
  cpu::kernels().elements_bf16.load_images(rounded.data(), pixels.data(), means.data(), ones.data(), kCount, kCount);
  for (int64_t i = 0; i < kCount; ++i) {
    const Bfloat16 expected = Bfloat16::from_float(values[i]);
    if (std::isnan(values[i])) {
      EXPECT_TRUE(std::isnan(rounded[i].to_float())) << std::hex << std::bit_cast<uint32_t>(values[i]);
    } else if (std::fpclassify(values[i]) == FP_SUBNORMAL && std::string(GetParam()) == "avx512_bf16") {
      EXPECT_LE(std::abs(rounded[i].to_float()), std::numeric_limits<float>::min());  // its instruction flushes them
    } else if (values[i] != 0) {
      ASSERT_EQ(rounded[i].bits, expected.bits) << std::hex << std::bit_cast<uint32_t>(values[i]);
    }
  }
}

// One row of 3x3 windows with padding over a map of one row, in `c` equal channels: the outputs and the winners'
// places.
template <class T>
void expect_max_row(const cpu::PoolKernels& pool, const std::vector<T>& pixels, const std::vector<T>& expected,
                    const std::vector<int>& expected_columns) {
  constexpr int64_t kChannels = 40;  // whole vectors and a part of one
  const auto w = static_cast<int64_t>(pixels.size());
  const cpu::PoolGeometry g{.n = 1,
                            .h = 1,
                            .w = w,
                            .oh = 1,
                            .ow = w,
                            .c = kChannels,
                            .kernel = 3,
                            .stride = 1,
                            .pad = 1,
                            .border = PoolBorder::kExcludePadding};
  std::vector<T> x, y(static_cast<size_t>(w * kChannels));
  for (const T pixel : pixels) x.insert(x.end(), kChannels, pixel);
  std::vector<uint8_t> argmax(y.size());
  pool.max({y.data(), kChannels}, argmax.data(), {x.data(), kChannels}, g, 0);
  for (int64_t i = 0; i < w * kChannels; ++i) {
    const auto at = static_cast<size_t>(i), window = static_cast<size_t>(i / kChannels);
    EXPECT_EQ(y[at], expected[window]) << i;
    EXPECT_EQ(argmax[at], 3 + expected_columns[window] + 1 - i / kChannels) << i;
  }
}

// Only padding is less than minus infinity, the zeros are equal, and a NaN of either sign passes wherever it stands.
TEST_P(InstructionSet, MaxPoolOrdersSpecialNumbers) {
  const uint32_t infinity = 0x7f800000, minus_infinity = 0xff800000, minus_zero = 0x80000000, minus_one = 0xbf800000,
                 one = 0x3f800000, nan = 0x7fc00000, minus_nan = 0xffc00000;
  struct Row {
    std::vector<uint32_t> pixels, expected;
    std::vector<int> columns;
  };
  for (const Row& row : {
           Row{{minus_infinity, minus_infinity, minus_one}, {minus_infinity, minus_one, minus_one}, {0, 2, 2}},
           Row{{minus_zero, 0, one, infinity}, {0, one, infinity, infinity}, {0, 2, 3, 3}},
           Row{{one, infinity, nan, minus_one}, {infinity, nan, nan, nan}, {1, 2, 2, 2}},
           Row{{minus_nan, infinity, one, minus_one}, {minus_nan, minus_nan, infinity, one}, {0, 0, 1, 2}},
       }) {
    const cpu::KernelTable& table = cpu::kernels();
    expect_max_row(table.pool_f32, row.pixels, row.expected, row.columns);
    std::vector<uint16_t> pixels, expected;
    for (const uint32_t bits : row.pixels) pixels.push_back(static_cast<uint16_t>(bits >> 16));
    for (const uint32_t bits : row.expected) expected.push_back(static_cast<uint16_t>(bits >> 16));
    expect_max_row(table.pool_bf16, pixels, expected, row.columns);
  }
}

INSTANTIATE_TEST_SUITE_P(Widths, InstructionSet, testing::Values("generic", "avx2", "avx512", "avx512_bf16"),
                         [](const auto& parameter) { return parameter.param; });

TEST(Dispatch, RefusesAnUnknownName) {
  const std::string message = error_message<UnsupportedError>([] { cpu::kernels_of("sse9"); });
  EXPECT_NE(message.find("BN_CPU_ISA is 'sse9'"), std::string::npos) << message;
  EXPECT_NE(message.find("kernels for generic"), std::string::npos) << message;
}

// The choice is made once, so this test needs a process of its own.
TEST(DispatchDeathTest, ObeysTheEnvironment) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(
      {
        setenv("BN_CPU_ISA", "generic", 1);
        std::exit(std::string(cpu::kernels().instruction_set) == "generic" ? 0 : 1);
      },
      testing::ExitedWithCode(0), "");
  EXPECT_EXIT(
      {
        setenv("BN_CPU_ISA", "mmx", 1);
        try {
          cpu::kernels();
        } catch (const UnsupportedError& error) {
          std::fputs(error.what(), stderr);
        }
        std::exit(0);
      },
      testing::ExitedWithCode(0), "BN_CPU_ISA is 'mmx'");
}

}  // namespace
}  // namespace bn::test
