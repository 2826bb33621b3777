#include "data/distort.hpp"

#include <cmath>
#include <numbers>
#include <opencv2/core.hpp>

namespace bn {
namespace {

constexpr std::array<double, 3> kLuma{0.299, 0.587, 0.114};

// Goes to YIQ, turns I and Q, and comes back. The first matrix is the last one's inverse.
cv::Matx33d hue_matrix(double angle) {
  static const cv::Matx33d kFromYiq{
      1.0000000000000002,  0.95617068540414529, 0.62143256634658561, 1, -0.27268860233010628, -0.6468132370201739, 1,
      -1.1037440821760263, 1.7006230946773064};
  static const cv::Matx33d kToYiq{kLuma[0], kLuma[1], kLuma[2], 0.596, -0.274, -0.322, 0.211, -0.523, 0.312};
  const double cosine = std::cos(angle), sine = std::sin(angle);
  return kFromYiq * (cv::Matx33d{1, 0, 0, 0, cosine, -sine, 0, sine, cosine} * kToYiq);
}

}  // namespace

Distortion draw_distortion(double strength, const std::vector<double>& directions, RandomStream& random) {
  constexpr double kBrightness = 32.0 / 255, kFactor = 0.5, kTurn = 0.2, kLighting = 0.1;
  const auto draw = [&](double range) { return strength * random.uniform(-range, range); };
  Distortion result;
  result.brightness = draw(kBrightness);
  result.contrast = 1 + draw(kFactor);
  result.saturation = 1 + draw(kFactor);
  result.hue = draw(2 * std::numbers::pi * kTurn);
  for (size_t direction = 0; direction < 3; ++direction) {
    const double amount = strength * kLighting * random.normal();
    for (size_t c = 0; c < 3; ++c) result.lighting[c] += amount * directions.at(3 * direction + c);
  }
  return result;
}

// Deviation: recipes clamp to 0..255 after each distortion; here only the composed map is clamped, once.
ColorMatrix color_matrix(const Distortion& distortion, const std::array<double, 3>& mean) {
  constexpr double kFullScale = 255;
  const double saturation = distortion.saturation;
  cv::Matx33d saturate;
  for (int i = 0; i < 3; ++i) {
    for (int j = 0; j < 3; ++j) saturate(i, j) = (i == j ? saturation : 0) + (1 - saturation) * kLuma.at(j);
  }
  const cv::Matx33d colour = saturate * hue_matrix(distortion.hue);
  const double gray = kLuma[0] * mean[0] + kLuma[1] * mean[1] + kLuma[2] * mean[2];
  ColorMatrix matrix{};
  for (int i = 0; i < 3; ++i) {
    for (int j = 0; j < 3; ++j) matrix[i][j] = distortion.contrast * colour(i, j);
    matrix[i][3] = (1 - distortion.contrast) * gray + kFullScale * (distortion.brightness + distortion.lighting[i]);
  }
  return matrix;
}

void apply_color_matrix(const ColorMatrix& matrix, int64_t pixels, uint8_t* rgb) {
  cv::Mat image(1, static_cast<int>(pixels), CV_8UC3, rgb);
  const cv::Mat coefficients(3, 4, CV_64F, const_cast<double*>(matrix[0].data()));
  cv::transform(image, image, coefficients);
}

void distort(const Distortion& distortion, int64_t pixels, uint8_t* rgb) {
  const cv::Scalar mean = cv::mean(cv::Mat(1, static_cast<int>(pixels), CV_8UC3, rgb));
  apply_color_matrix(color_matrix(distortion, {mean[0], mean[1], mean[2]}), pixels, rgb);
}

}  // namespace bn
