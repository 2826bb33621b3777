// This tests what oneDNN's ops promise besides the cases of own_ops/library_cases_test.cpp, and how the library is
// called.
#include <gtest/gtest.h>

#include "bn/error.hpp"
#include "cpu/cpu_backend.hpp"
#include "cpu/onednn.hpp"
#include "support/error_message.hpp"

namespace bn::test {
namespace {

TEST(Conv2d, TakesTheQuickerKernelOnShortRows) {
  const auto implementation = [](DType dtype, int64_t width) {
    const OpDesc desc{.name = "conv",
                      .x = {TensorDesc::dense(dtype, {2, width, width, 64})},
                      .y = TensorDesc::dense(dtype, {2, width, width, 64}),
                      .wants_dx = {true}};
    return direct_backend().make_op(Conv2d{.out_channels = 64, .kernel = 3, .pad = 1}, desc)->implementation();
  };
  EXPECT_EQ(implementation(DType::kF32, 4).find("jit"), 0U) << implementation(DType::kF32, 4);
  if (!cpu::allows_avx512()) GTEST_SKIP() << "without AVX-512 there is one kernel";
  EXPECT_TRUE(cpu::is_brgemm_convolution(implementation(DType::kF32, 16))) << implementation(DType::kF32, 16);
  if (!cpu::allows_instructions("bf16") && !cpu::allows_instructions("amx"))
    GTEST_SKIP() << "without instructions for bf16 there is one kernel in it";
  EXPECT_TRUE(cpu::is_brgemm_convolution(implementation(DType::kBf16, 32))) << implementation(DType::kBf16, 32);
  if (cpu::allows_instructions("amx")) GTEST_SKIP() << "with AMX brgemm is the quicker one in bf16";
  EXPECT_EQ(implementation(DType::kBf16, 8).find("jit"), 0U) << implementation(DType::kBf16, 8);
}

TEST(Conv2d, RefusesWhatTheLibraryHasNoKernelFor) {
  const OpDesc desc{.name = "conv",
                    .x = {TensorDesc::dense(DType::kF32, {2, 8, 8, 16})},
                    .y = TensorDesc::dense(DType::kBf16, {2, 8, 8, 32}),
                    .wants_dx = {true}};
  const std::string message = error_message<UnsupportedError>(
      [&] { cpu_backend().make_op(Conv2d{.out_channels = 32, .kernel = 3, .pad = 1}, desc); });
  EXPECT_EQ(message.find("oneDNN has nothing but reference loops, if anything, for conv2d 32 3x3/1 pad 1 from f32 "
                         "2x8x8x16 to bf16 2x8x8x32 on "),
            0U)
      << message;
}

TEST(PreparedCall, RefusesReferenceLoops) {
  // A product written column by column: the library has only loops for it.
  const dnnl::matmul::primitive_desc description =
      cpu::matrix_product(cpu::column_major(DType::kF32, 8, 6), cpu::row_major(DType::kF32, 8, 4),
                          cpu::row_major(DType::kF32, 4, 6), cpu::attributes());
  ASSERT_EQ(std::string(description.impl_info_str()).find("ref"), 0U) << description.impl_info_str();
  EXPECT_THROW(cpu::PreparedCall(description, {DNNL_ARG_SRC, DNNL_ARG_WEIGHTS, DNNL_ARG_DST}), dnnl::error);
}

TEST(PreparedCall, RunsAgainOnOtherMemory) {
  cpu::PreparedCall transpose =
      cpu::prepare_reorder(cpu::row_major(DType::kF32, 2, 3), cpu::column_major(DType::kF32, 2, 3));
  std::vector<float> from{0, 1, 2, 3, 4, 5}, to(6), other(6);
  transpose.run({{DNNL_ARG_FROM, from.data()}, {DNNL_ARG_TO, to.data()}}, nullptr);
  transpose.run({{DNNL_ARG_TO, other.data()}}, nullptr);
  EXPECT_EQ(to, (std::vector<float>{0, 3, 1, 4, 2, 5}));
  EXPECT_EQ(other, to);
}

}  // namespace
}  // namespace bn::test
