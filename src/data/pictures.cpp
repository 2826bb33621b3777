#include "bn/pictures.hpp"

#include <algorithm>
#include <cmath>
#include <opencv2/imgproc.hpp>

#include "data/picture.hpp"

namespace bn {

void draw_thumbnail(const Dataset& images, int64_t index, const DataOptions& data, int64_t side,
                    const std::string& path) {
  const cv::Mat picture = read_picture(images, index, data);
  const double longer = std::max(picture.rows, picture.cols);
  write_picture(resize_picture(picture, static_cast<double>(side) / longer), path);
}

void draw_filters(const Filters& filters, const std::string& path) {
  constexpr int kEnlarge = 8, kGap = 1;
  constexpr uint8_t kPaper = 255;
  constexpr float kZero = 127.5F;
  const auto side = static_cast<int>(filters.side), step = side + kGap;
  const auto columns = static_cast<int>(std::ceil(std::sqrt(static_cast<double>(filters.count))));
  const int rows = (static_cast<int>(filters.count) + columns - 1) / columns;
  cv::Mat sheet(rows * step - kGap, columns * step - kGap, CV_8UC3, cv::Scalar::all(kPaper));
  const int64_t values = filters.side * filters.side * filters.channels;
  for (int64_t filter = 0; filter < filters.count; ++filter) {
    const float* weights = &filters.weights[static_cast<size_t>(filter * values)];
    float largest = 0;
    for (int64_t i = 0; i < values; ++i) largest = std::max(largest, std::abs(weights[i]));
    const auto column = static_cast<int>(filter) % columns, row = static_cast<int>(filter) / columns;
    cv::Mat tile = sheet(cv::Rect(column * step, row * step, side, side));
    const float* at = weights;
    for (auto pixel = tile.begin<cv::Vec3b>(); pixel != tile.end<cv::Vec3b>(); ++pixel, at += filters.channels) {
      for (int c = 0; c < 3; ++c) {
        const float weight = at[filters.channels == 1 ? 0 : c];
        const float shown = largest > 0 ? kZero + kZero * weight / largest : kZero;
        (*pixel)[c] = static_cast<uint8_t>(std::lround(shown));
      }
    }
  }
  cv::Mat enlarged;
  cv::resize(sheet, enlarged, {}, kEnlarge, kEnlarge, cv::INTER_NEAREST);
  write_picture(enlarged, path);
}

}  // namespace bn
