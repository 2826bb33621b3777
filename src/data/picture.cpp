#include "data/picture.hpp"

#include <algorithm>
#include <cmath>
#include <opencv2/imgproc.hpp>

#include "core/files.hpp"
#include "data/decode.hpp"

namespace bn {
namespace {

constexpr int64_t kPictureChannels = 3;

cv::Mat matrix_of(const Image& image) {
  return {static_cast<int>(image.height), static_cast<int>(image.width), CV_8UC3,
          const_cast<uint8_t*>(image.pixels.data())};
}

}  // namespace

cv::Mat read_picture(const Dataset& images, int64_t index, const DataOptions& data) {
  std::vector<uint8_t> encoded;
  Image decoded;
  const Dataset::Sample sample = images.read(index, encoded);
  if (sample.raw_channels > 0) {
    convert_channels(
        {.data = sample.data, .height = sample.raw_height, .width = sample.raw_width, .channels = sample.raw_channels},
        kPictureChannels, decoded);
  } else {
    ImageDecoder decoder(
        {.channels = kPictureChannels, .decoder = data.decoder, .exif_orientation = data.exif_orientation});
    decoder.open(sample.data, sample.bytes);
    decoder.decode(decoded);
  }
  return matrix_of(decoded).clone();
}

cv::Mat resize_picture(const cv::Mat& picture, double scale) {
  const auto scaled = [&](int side) { return std::max(1, static_cast<int>(std::lround(side * scale))); };
  cv::Mat resized;
  cv::resize(picture, resized, {scaled(picture.cols), scaled(picture.rows)}, 0, 0,
             scale < 1 ? cv::INTER_AREA : cv::INTER_CUBIC);
  return resized;
}

void write_picture(const cv::Mat& picture, const std::string& path) {
  const cv::Mat whole = picture.isContinuous() ? picture : picture.clone();
  const std::vector<uint8_t> png = encode_png_with_imgcodecs(
      {.data = whole.data, .height = whole.rows, .width = whole.cols, .channels = kPictureChannels});
  write_file(path, {reinterpret_cast<const char*>(png.data()), png.size()});
}

}  // namespace bn
