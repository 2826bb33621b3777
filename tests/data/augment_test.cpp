#include "data/augment.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <functional>

#include "data/fixtures.hpp"
#include "support/uniform.hpp"

namespace bn {
namespace {

using namespace test;  // NOLINT(google-build-using-namespace)

Image filled(int64_t height, int64_t width, int64_t channels, const std::function<int64_t(int64_t, int64_t)>& value) {
  Image image;
  image.reshape(height, width, channels);
  for (int64_t i = 0; i < height * width * channels; ++i) {
    const int64_t pixel = i / channels;
    image.pixels[static_cast<size_t>(i)] = static_cast<uint8_t>(value(pixel / width, pixel % width) + i % channels);
  }
  return image;
}

TEST(DrawCrop, StaysInsideTheImage) {
  const AugmentOptions options;
  for (const auto& [height, width] : {std::pair<int64_t, int64_t>{1, 1}, {1, 500}, {500, 1}, {3, 2}, {375, 500}}) {
    for (uint64_t i = 0; i < 200; ++i) {
      RandomStream random(1, 2, i);
      const Crop crop = draw_crop(options, height, width, random);
      EXPECT_GE(crop.height, 1);
      EXPECT_GE(crop.width, 1);
      EXPECT_GE(crop.top, 0);
      EXPECT_GE(crop.left, 0);
      EXPECT_LE(crop.top + crop.height, height);
      EXPECT_LE(crop.left + crop.width, width);
    }
  }
}

TEST(DrawCrop, AreaAspectPositionAndFlipAreUniform) {
  // Up to half the area every aspect fits a square image, so nothing is redrawn.
  const AugmentOptions options{.max_area = 0.5};
  constexpr int64_t kSide = 1000, kDraws = 10000;
  std::vector<double> areas, aspects, lefts;
  int64_t mirrored = 0;
  for (uint64_t i = 0; i < kDraws; ++i) {
    RandomStream random(3, 4, i);
    const Crop crop = draw_crop(options, kSide, kSide, random);
    areas.push_back(static_cast<double>(crop.height * crop.width) / (kSide * kSide));
    aspects.push_back(static_cast<double>(crop.width) / static_cast<double>(crop.height));
    lefts.push_back(static_cast<double>(crop.left) / static_cast<double>(kSide - crop.width));
    mirrored += crop.mirrored ? 1 : 0;
  }
  expect_uniform(areas, 0.08, 0.5, 0.02);
  expect_uniform(aspects, 0.75, 4.0 / 3, 0.02);
  expect_uniform(lefts, 0, 1, 0.02);
  EXPECT_NEAR(static_cast<double>(mirrored) / kDraws, 0.5, 0.02);
}

TEST(DrawCrop, WholeAreasAreReached) {
  double largest = 0;
  for (uint64_t i = 0; i < 2000; ++i) {
    RandomStream random(3, 4, i);
    const Crop crop = draw_crop({}, 375, 500, random);
    largest = std::max(largest, static_cast<double>(crop.height * crop.width) / (375 * 500));
  }
  EXPECT_GT(largest, 0.97);
}

TEST(DrawCrop, FallsBackToTheLargestCentredCrop) {
  const AugmentOptions whole{.min_area = 1, .max_area = 1};  // no aspect in range covers all of these
  RandomStream random(1, 1, 1);
  const Crop wide = draw_crop(whole, 300, 900, random);
  EXPECT_EQ(wide.height, 300);
  EXPECT_EQ(wide.width, 400);
  EXPECT_EQ(wide.left, 250);
  const Crop tall = draw_crop(whole, 900, 300, random);
  EXPECT_EQ(tall.height, 400);
  EXPECT_EQ(tall.width, 300);
  EXPECT_EQ(tall.top, 250);
}

TEST(DrawCrop, DrawsOnlyWhatIsSwitchedOn) {
  RandomStream random(1, 1, 1);
  const Crop crop = draw_crop({.random_crop = false, .flip = false}, 30, 40, random);
  EXPECT_EQ(crop.height, 30);
  EXPECT_EQ(crop.width, 40);
  EXPECT_FALSE(crop.mirrored);
  RandomStream untouched(1, 1, 1);
  EXPECT_EQ(random.next(), untouched.next());
}

TEST(DrawCrop, MethodsOfResizingAreEquallyLikely) {
  std::array<int64_t, 4> count{};
  for (uint64_t i = 0; i < 8000; ++i) {
    RandomStream with(1, 2, i), without(1, 2, i);
    const Crop crop = draw_crop({.interpolation = Interpolation::kRandom}, 300, 400, with);
    ++count.at(static_cast<size_t>(crop.method));
    const Crop same = draw_crop({}, 300, 400, without);
    EXPECT_EQ(same.method, ResizeMethod::kArea);
    EXPECT_EQ(crop.left, same.left);
    EXPECT_EQ(crop.mirrored, same.mirrored);
  }
  for (const int64_t times : count) EXPECT_NEAR(static_cast<double>(times), 2000, 160);  // deviation 39
}

TEST(ResizeCrop, EachMethodDoesWhatItIsCalled) {
  // A step from 0 to 240 between the second and the third of four columns.
  const Image image = filled(4, 4, 1, [](int64_t, int64_t x) { return x < 2 ? 0 : 240; });
  const auto first_row = [&](ResizeMethod method) {
    Bytes out(8 * 8);
    resize_crop(image.view(), {.height = 4, .width = 4, .method = method}, 8, out.data());
    return Bytes(out.begin(), out.begin() + 8);
  };
  EXPECT_EQ(first_row(ResizeMethod::kNearest), (Bytes{0, 0, 0, 0, 240, 240, 240, 240}));
  EXPECT_EQ(first_row(ResizeMethod::kBilinear), (Bytes{0, 0, 0, 60, 180, 240, 240, 240}));
  EXPECT_EQ(first_row(ResizeMethod::kArea), first_row(ResizeMethod::kBilinear));
  const Bytes cubic = first_row(ResizeMethod::kCubic);
  EXPECT_LT(cubic[3], 60);  // steeper, and it overshoots
  EXPECT_EQ(cubic[5], 255);
}

TEST(ResizeCrop, CopiesACropOfTheRightSize) {
  const Image image = filled(10, 12, 3, [](int64_t y, int64_t x) { return 10 * y + x; });
  Bytes out(4 * 4 * 3);
  resize_crop(image.view(), {.top = 2, .left = 5, .height = 4, .width = 4}, 4, out.data());
  EXPECT_EQ(out[0], 25);
  EXPECT_EQ(out[2], 27);
  EXPECT_EQ(out[3 * 15], 58);
  resize_crop(image.view(), {.top = 2, .left = 5, .height = 4, .width = 4, .mirrored = true}, 4, out.data());
  EXPECT_EQ(out[0], 28);
  EXPECT_EQ(out[2], 30);  // channels keep their order
  EXPECT_EQ(out[3 * 3], 25);
}

TEST(ResizeCrop, AveragesWhenItShrinks) {
  const Image image = filled(8, 8, 1, [](int64_t y, int64_t x) { return (x + y) % 2 == 0 ? 200 : 100; });
  Bytes out(4);
  resize_crop(image.view(), {.height = 8, .width = 8}, 2, out.data());
  EXPECT_EQ(out, Bytes(4, 150));
}

TEST(ResizeCrop, EnlargesSmoothlyWithinTheCrop) {
  const Image image = filled(4, 4, 1, [](int64_t, int64_t x) { return x < 2 ? 255 : static_cast<int64_t>(50 * x); });
  Bytes out(8 * 8);
  resize_crop(image.view(), {.top = 0, .left = 2, .height = 2, .width = 2}, 8, out.data());
  EXPECT_TRUE(std::is_sorted(out.begin(), out.begin() + 8));
  EXPECT_EQ(out.front(), 100);  // nothing of the 255 outside the crop
  EXPECT_EQ(out.back(), 150);
}

TEST(CenterCrop, ResizesTheShorterSide) {
  // A plane: value = 10 per column of the original.
  const Image image = filled(40, 80, 1, [](int64_t, int64_t x) { return 2 * x; });
  Bytes out(10 * 10);
  resize_and_center_crop(image.view(), 20, 10, out.data());
  // 80 columns become 40, the centre ten are 15..24: original columns 30 and 31, ... average 61.
  for (int64_t x = 0; x < 10; ++x) EXPECT_NEAR(out[static_cast<size_t>(x)], 61 + 4 * x, 1) << x;
  EXPECT_EQ(out[0], out[90]);
}

TEST(CenterCrop, WithoutResizeCutsTheCentre) {
  const Image image = filled(7, 9, 1, [](int64_t y, int64_t x) { return 10 * y + x; });
  Bytes out(9);
  resize_and_center_crop(image.view(), 0, 3, out.data());
  EXPECT_EQ(out, (Bytes{23, 24, 25, 33, 34, 35, 43, 44, 45}));
}

TEST(CenterCrop, EnlargesWhatIsTooSmall) {
  const Image image = filled(2, 4, 1, [](int64_t, int64_t) { return 77; });
  Bytes out(6 * 6);
  resize_and_center_crop(image.view(), 0, 6, out.data());
  EXPECT_EQ(out, Bytes(36, 77));
}

TEST(CenterCrop, AStripNeedsNoGigabytes) {
  const Image image = filled(1, 100000, 3, [](int64_t, int64_t) { return 50; });
  Bytes out(224 * 224 * 3);
  resize_and_center_crop(image.view(), 256, 224, out.data());
  EXPECT_EQ(out[0], 50);
  EXPECT_EQ(out[out.size() - 1], 52);
}

TEST(Mirror, SwapsColumnsNotChannels) {
  Bytes image{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
  mirror(image.data(), 2, 3);
  EXPECT_EQ(image, (Bytes{4, 5, 6, 1, 2, 3, 10, 11, 12, 7, 8, 9}));
}

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
