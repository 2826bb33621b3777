#include "cpu/onednn.hpp"

#include <gtest/gtest.h>

namespace bn::cpu {
namespace {

TEST(PreparedCall, RefusesReferenceLoops) {
  // A product written column by column: the library has only loops for it.
  const dnnl::matmul::primitive_desc description = matrix_product(
      column_major(DType::kF32, 8, 6), row_major(DType::kF32, 8, 4), row_major(DType::kF32, 4, 6), attributes());
  ASSERT_EQ(std::string(description.impl_info_str()).find("ref"), 0U) << description.impl_info_str();
  EXPECT_THROW(PreparedCall(description, {DNNL_ARG_SRC, DNNL_ARG_WEIGHTS, DNNL_ARG_DST}), dnnl::error);
}

TEST(PreparedCall, RunsAgainOnOtherMemory) {
  PreparedCall transpose = prepare_reorder(row_major(DType::kF32, 2, 3), column_major(DType::kF32, 2, 3));
  std::vector<float> from{0, 1, 2, 3, 4, 5}, to(6), other(6);
  transpose.run({{DNNL_ARG_FROM, from.data()}, {DNNL_ARG_TO, to.data()}}, nullptr);
  transpose.run({{DNNL_ARG_TO, other.data()}}, nullptr);
  EXPECT_EQ(to, (std::vector<float>{0, 3, 1, 4, 2, 5}));
  EXPECT_EQ(other, to);
}

}  // namespace
}  // namespace bn::cpu
