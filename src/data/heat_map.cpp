#include <algorithm>
#include <cmath>
#include <opencv2/imgproc.hpp>

#include "bn/pictures.hpp"
#include "data/picture.hpp"

namespace bn {
namespace {

constexpr int kLongestSide = 1024, kShortestSide = 256;  // the picture's, where the image's form allows

cv::Mat at_handy_size(const cv::Mat& image) {
  const int shorter = std::min(image.rows, image.cols), longer = std::max(image.rows, image.cols);
  const double grow = std::max(1.0, static_cast<double>(kShortestSide) / shorter);
  return resize_picture(image, std::min(grow, static_cast<double>(kLongestSide) / longer));
}

// The part of the picture that the network sees: the centre square, as evaluation resizes and crops.
cv::Rect seen_by_network(const cv::Mat& picture, const DataOptions& data) {
  const int shorter = std::min(picture.rows, picture.cols);
  const double share =
      data.resize_shorter > 0 ? static_cast<double>(data.image_size) / static_cast<double>(data.resize_shorter) : 1;
  const int side = std::clamp(static_cast<int>(std::lround(shorter * share)), 1, shorter);
  return {(picture.cols - side) / 2, (picture.rows - side) / 2, side, side};
}

// The map over the square, from 0 (at zero and below) to 1 (at its maximum).
cv::Mat strength_over(const HeatMap& map, int side) {
  const cv::Mat cells(static_cast<int>(map.height), static_cast<int>(map.width), CV_32FC1,
                      const_cast<float*>(map.values.data()));
  cv::Mat strength;
  cv::resize(cells, strength, {side, side}, 0, 0, cv::INTER_LINEAR);
  const float highest = *std::max_element(map.values.begin(), map.values.end());
  return cv::max(strength, 0.0F) * (highest > 0 ? 1 / highest : 0.0F);
}

void colour(cv::Mat square, const cv::Mat& strength) {
  constexpr float kOpacity = 0.6F, kBrightest = 255;
  cv::Mat levels, colours;
  strength.convertTo(levels, CV_8U, static_cast<double>(kBrightest));
  cv::applyColorMap(levels, colours, cv::COLORMAP_JET);
  cv::cvtColor(colours, colours, cv::COLOR_BGR2RGB);
  for (auto pixel = square.begin<cv::Vec3b>(); pixel != square.end<cv::Vec3b>(); ++pixel) {
    const float weight = kOpacity * std::min(1.0F, strength.at<float>(pixel.pos()));
    const auto& tint = colours.at<cv::Vec3b>(pixel.pos());
    for (int c = 0; c < 3; ++c) {
      const float mixed = (1 - weight) * static_cast<float>((*pixel)[c]) + weight * static_cast<float>(tint[c]);
      (*pixel)[c] = static_cast<uint8_t>(std::lround(mixed));
    }
  }
}

}  // namespace

void draw_heat_map(const Dataset& images, int64_t index, const DataOptions& data, const HeatMap& map,
                   const std::string& path) {
  const cv::Mat picture = at_handy_size(read_picture(images, index, data));
  const cv::Rect seen = seen_by_network(picture, data);
  colour(picture(seen), strength_over(map, seen.width));
  write_picture(picture, path);
}

}  // namespace bn
