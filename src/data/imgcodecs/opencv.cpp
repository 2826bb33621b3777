// Images of any format, by OpenCV.
#include <fmt/format.h>

#include <opencv2/imgcodecs.hpp>
#include <opencv2/imgproc.hpp>

#include "bn/error.hpp"
#include "data/decode.hpp"

namespace bn {

bool has_imgcodecs() { return true; }

void decode_with_imgcodecs(const uint8_t* bytes, int64_t size, int64_t channels, Image& out) {
  const cv::Mat encoded(1, static_cast<int>(size), CV_8UC1, const_cast<uint8_t*>(bytes));
  const int mode = (channels == 1 ? cv::IMREAD_GRAYSCALE : cv::IMREAD_COLOR) | cv::IMREAD_IGNORE_ORIENTATION;
  cv::Mat decoded;
  try {
    decoded = cv::imdecode(encoded, mode);
  } catch (const cv::Exception& error) {
    throw DataError(fmt::format("the image data is damaged ({})", error.err));
  }
  if (decoded.empty()) throw DataError("the data is damaged or in no known image format (JPEG, PNG, BMP, WebP, ...)");
  refuse_huge(decoded.cols, decoded.rows);
  out.reshape(decoded.rows, decoded.cols, channels);
  cv::Mat target(decoded.rows, decoded.cols, channels == 1 ? CV_8UC1 : CV_8UC3, out.pixels.data());
  if (channels == 1) {
    decoded.copyTo(target);
  } else {
    cv::cvtColor(decoded, target, cv::COLOR_BGR2RGB);
  }
}

}  // namespace bn
