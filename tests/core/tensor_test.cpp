#include "bn/tensor.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "core/regions.hpp"

namespace bn {
namespace {

float rounded(float value) { return Bfloat16::from_float(value).to_float(); }

TEST(Bfloat16, RoundsToNearestTiesToEven) {
  EXPECT_EQ(rounded(1.0F), 1.0F);
  EXPECT_EQ(rounded(1.0F + 0x1p-8F), 1.0F);               // a tie goes to the even neighbour
  EXPECT_EQ(rounded(1.0F + 0x3p-8F), 1.0F + 0x1p-6F);     // here upwards
  EXPECT_EQ(rounded(1.0F + 0x1.02p-8F), 1.0F + 0x1p-7F);  // just above a tie
  EXPECT_EQ(rounded(-3.140625F), -3.140625F);
}

TEST(Bfloat16, KeepsSpecialValues) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  EXPECT_EQ(rounded(kInfinity), kInfinity);
  EXPECT_EQ(rounded(-kInfinity), -kInfinity);
  EXPECT_TRUE(std::isnan(rounded(std::numeric_limits<float>::quiet_NaN())));
  EXPECT_TRUE(std::isnan(rounded(std::bit_cast<float>(0x7f800001U))));  // whose upper half alone would be infinity
  EXPECT_EQ(rounded(std::numeric_limits<float>::max()), kInfinity);
  EXPECT_TRUE(std::signbit(rounded(-0.0F)));
}

TEST(Tensor, CountsRowsAndBytes) {
  const Shape shape{2, 3, 4, 5};
  EXPECT_EQ(shape.rows(), 24);
  EXPECT_EQ(shape.elements(), 120);
  EXPECT_EQ(to_string(shape), "2x3x4x5");
  float storage = 0;
  Tensor slice = dense(&storage, DType::kBf16, shape);
  EXPECT_TRUE(slice.is_dense());
  EXPECT_EQ(slice.bytes(), 240);
  slice.row_stride = 8;
  EXPECT_FALSE(slice.is_dense());
  EXPECT_FALSE(Tensor{});
}

TEST(Regions, StartAtMultiplesWhereverTheBufferStarts) {
  Regions regions;
  EXPECT_EQ(regions.bytes(), 0);
  EXPECT_EQ(regions.add(1), 0);
  EXPECT_EQ(regions.add(256), 256);
  EXPECT_EQ(regions.add(0), 512);
  std::vector<char> buffer(static_cast<size_t>(regions.bytes() + 7));
  for (const int64_t start : {0, 1, 7}) {
    char* const base = buffer.data() + start;
    auto* const part = static_cast<char*>(at(base, 256));
    EXPECT_EQ(reinterpret_cast<uintptr_t>(part) % 256, 0U);
    EXPECT_GE(part, base + 256);
    EXPECT_LE(part + 256, base + regions.bytes());
  }
  EXPECT_EQ(at(nullptr, 256), nullptr);
}

}  // namespace
}  // namespace bn
