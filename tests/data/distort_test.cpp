#include "data/distort.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numbers>

#include "data/fixtures.hpp"
#include "support/uniform.hpp"

namespace bn {
namespace {

using namespace test;  // NOLINT(google-build-using-namespace)

using Colour = std::array<double, 3>;
const std::vector<double> kAxes{1, 0, 0, 0, 1, 0, 0, 0, 1};
constexpr Colour kMean{90, 120, 150};

double gray(const Colour& colour) { return 0.299 * colour[0] + 0.587 * colour[1] + 0.114 * colour[2]; }

Colour times(const ColorMatrix& matrix, const Colour& colour) {
  Colour result{};
  for (size_t i = 0; i < 3; ++i) {
    result[i] = matrix[i][0] * colour[0] + matrix[i][1] * colour[1] + matrix[i][2] * colour[2] + matrix[i][3];
  }
  return result;
}

void expect_colour(const Colour& actual, const Colour& expected, double tolerance = 1e-9) {
  for (size_t c = 0; c < 3; ++c) EXPECT_NEAR(actual[c], expected[c], tolerance) << c;
}

TEST(Distort, DrawsEachKindFromItsRange) {
  for (const double strength : {1.0, 0.3}) {
    std::vector<double> brightness, contrast, saturation, hue, lighting;
    for (uint64_t i = 0; i < 10000; ++i) {
      RandomStream random(5, 6, i);
      const Distortion drawn = draw_distortion(strength, kAxes, random);
      brightness.push_back(drawn.brightness);
      contrast.push_back(drawn.contrast);
      saturation.push_back(drawn.saturation);
      hue.push_back(drawn.hue);
      lighting.insert(lighting.end(), drawn.lighting.begin(), drawn.lighting.end());
    }
    expect_uniform(brightness, -strength * 32 / 255, strength * 32 / 255, 0.02);
    expect_uniform(contrast, 1 - strength * 0.5, 1 + strength * 0.5, 0.02);
    expect_uniform(saturation, 1 - strength * 0.5, 1 + strength * 0.5, 0.02);
    expect_uniform(hue, -strength * 0.4 * std::numbers::pi, strength * 0.4 * std::numbers::pi, 0.02);
    double sum = 0, squares = 0;
    for (const double amount : lighting) sum += amount, squares += amount * amount;
    EXPECT_NEAR(sum / 30000, 0, 0.003 * strength);
    EXPECT_NEAR(std::sqrt(squares / 30000), 0.1 * strength, 0.002 * strength);
  }
}

TEST(Distort, StrengthZeroIsTheIdentity) {
  RandomStream random(5, 6, 7);
  const ColorMatrix matrix = color_matrix(draw_distortion(0, kAxes, random), kMean);
  expect_colour(times(matrix, {10, 200, 30}), {10, 200, 30});
}

TEST(Distort, LightingFollowsTheDirections) {
  const std::vector<double> directions{1, 2, 3, 0, 0, 0, 0, 0, 0};
  RandomStream random(5, 6, 7);
  const Distortion drawn = draw_distortion(1, directions, random);
  EXPECT_NE(drawn.lighting[0], 0);
  EXPECT_NEAR(drawn.lighting[1], 2 * drawn.lighting[0], 1e-12);
  EXPECT_NEAR(drawn.lighting[2], 3 * drawn.lighting[0], 1e-12);
}

TEST(Distort, EachKindDoesWhatItIsCalled) {
  const Colour colour{10, 200, 30};
  expect_colour(times(color_matrix({.brightness = 0.1}, kMean), colour), {35.5, 225.5, 55.5});
  expect_colour(times(color_matrix({.lighting = {0.1, 0, -0.1}}, kMean), colour), {35.5, 200, 4.5});
  const double middle = gray(kMean);
  expect_colour(times(color_matrix({.contrast = 0.5}, kMean), colour),
                {(10 + middle) / 2, (200 + middle) / 2, (30 + middle) / 2});
  expect_colour(times(color_matrix({.saturation = 0}, kMean), colour), {gray(colour), gray(colour), gray(colour)});
  // A hue turns colours about the grays: these stay, and so does the luma; a whole turn changes nothing.
  const ColorMatrix third = color_matrix({.hue = 2 * std::numbers::pi / 3}, kMean);
  expect_colour(times(third, {77, 77, 77}), {77, 77, 77}, 0.05);
  EXPECT_NEAR(gray(times(third, colour)), gray(colour), 0.05);
  EXPECT_GT(std::abs(times(third, colour)[0] - colour[0]), 50);
  expect_colour(times(color_matrix({.hue = 2 * std::numbers::pi}, kMean), colour), colour, 1e-6);
}

TEST(Distort, TheMatrixEqualsTheStepsOneAfterTheOther) {
  const Distortion all{
      .brightness = 0.05, .contrast = 1.3, .saturation = 0.7, .hue = 0.6, .lighting = {0.02, 0, -0.01}};
  const Colour colour{10, 200, 30};
  Colour steps = times(color_matrix({.hue = all.hue}, kMean), colour);
  steps = times(color_matrix({.contrast = all.contrast}, kMean), steps);
  steps = times(color_matrix({.saturation = all.saturation}, kMean), steps);
  steps = times(color_matrix({.brightness = all.brightness, .lighting = all.lighting}, kMean), steps);
  expect_colour(times(color_matrix(all, kMean), colour), steps, 0.05);
}

TEST(Distort, PixelsAreRoundedAndClampedOnce) {
  Bytes pixels;
  for (int i = 0; i < 3 * 1001; ++i) pixels.push_back(static_cast<uint8_t>(i * 37 % 256));
  for (const Distortion& distortion :
       {Distortion{.brightness = 0.12, .contrast = 1.5, .saturation = 1.5, .hue = 1.2, .lighting = {0.1, 0, -0.1}},
        Distortion{.brightness = -0.12, .contrast = 0.5, .saturation = 0.5, .hue = -1.2}, Distortion{}}) {
    const ColorMatrix matrix = color_matrix(distortion, kMean);
    Bytes distorted = pixels;
    apply_color_matrix(matrix, 1001, distorted.data());
    for (size_t i = 0; i < pixels.size(); i += 3) {
      const Colour expected = times(matrix, {static_cast<double>(pixels[i]), static_cast<double>(pixels[i + 1]),
                                             static_cast<double>(pixels[i + 2])});
      for (size_t c = 0; c < 3; ++c) ASSERT_NEAR(distorted[i + c], std::clamp(expected[c], 0.0, 255.0), 1.01) << i;
    }
  }
}

TEST(Distort, ContrastScalesAboutTheMeanOfTheImage) {
  Bytes image{100, 100, 100, 200, 200, 200};
  distort({.contrast = 0.5}, 2, image.data());
  EXPECT_EQ(image, (Bytes{125, 125, 125, 175, 175, 175}));
}

}  // namespace
}  // namespace bn
