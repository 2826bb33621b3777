#include "data/average_resize.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

namespace bn {
namespace {

// The mean over the area that the new pixel covers, in double precision.
double reference(const std::vector<uint8_t>& rgb, int64_t height, int64_t width, int64_t out_height, int64_t out_width,
                 int64_t y, int64_t x, int64_t c) {
  const double tall = static_cast<double>(height) / static_cast<double>(out_height);
  const double wide = static_cast<double>(width) / static_cast<double>(out_width);
  const auto share = [](double begin, double length, int64_t at) {
    const auto place = static_cast<double>(at);
    return std::max(0.0, std::min(begin + length, place + 1) - std::max(begin, place));
  };
  double sum = 0;
  for (int64_t row = 0; row < height; ++row) {
    const double rows = share(static_cast<double>(y) * tall, tall, row);
    for (int64_t column = 0; rows > 0 && column < width; ++column) {
      sum += rows * share(static_cast<double>(x) * wide, wide, column) *
             rgb[static_cast<size_t>((row * width + column) * 3 + c)];
    }
  }
  return sum / (tall * wide);
}

TEST(AverageResize, EqualsTheMeanOfTheAreaCovered) {
  struct Case {
    int64_t height, width, out_height, out_width;
  };
  for (const auto& [height, width, out_height, out_width] :
       {Case{20, 31, 7, 9}, {8, 8, 2, 2}, {9, 5, 9, 4}, {50, 3, 1, 1}, {17, 17, 16, 16}, {1, 7, 1, 7}}) {
    std::vector<uint8_t> rgb(static_cast<size_t>(height * width * 3));
    for (size_t i = 0; i < rgb.size(); ++i) rgb[i] = static_cast<uint8_t>(i * i * 31 + i * 7);
    std::vector<uint8_t> out(static_cast<size_t>(out_height * out_width * 3));
    average_resize(rgb.data(), height, width, 3 * width, out_height, out_width, out.data());
    for (int64_t y = 0; y < out_height; ++y) {
      for (int64_t x = 0; x < out_width; ++x) {
        for (int64_t c = 0; c < 3; ++c) {
          const double expected = reference(rgb, height, width, out_height, out_width, y, x, c);
          ASSERT_NEAR(out[static_cast<size_t>((y * out_width + x) * 3 + c)], expected, 0.501) << y << " " << x;
        }
      }
    }
  }
}

TEST(AverageResize, ReadsAPartOfALargerImage) {
  std::vector<uint8_t> rgb(20 * 10 * 3, 255);  // 20 columns, of which the four in the middle are read
  for (size_t y = 0; y < 10; ++y) std::fill_n(rgb.begin() + static_cast<int64_t>((y * 20 + 8) * 3), 12, uint8_t{90});
  std::vector<uint8_t> out(3 * 2 * 3);
  average_resize(rgb.data() + 24, 10, 4, 60, 3, 2, out.data());
  EXPECT_EQ(out, std::vector<uint8_t>(18, 90));
}

TEST(AverageResize, WhiteStaysWhite) {
  const std::vector<uint8_t> rgb(333 * 257 * 3, 255);
  std::vector<uint8_t> out(224 * 224 * 3);
  average_resize(rgb.data(), 333, 257, 257 * 3, 224, 224, out.data());
  EXPECT_EQ(out, std::vector<uint8_t>(out.size(), 255));
}

}  // namespace
}  // namespace bn
