// Pictures for people: OpenCV's matrices of R, G, B, and files of them.
#pragma once

#include <opencv2/core.hpp>
#include <string>

#include "bn/dataset.hpp"

namespace bn {

// The image in colour, as evaluation decodes it, upright where data.exif_orientation says so. Throws DataError.
cv::Mat read_picture(const Dataset& images, int64_t index, const DataOptions& data);
// Each side times `scale`, but at least one pixel.
cv::Mat resize_picture(const cv::Mat& picture, double scale);
// PNG. Throws StorageError, or UnsupportedError in a build without OpenCV's imgcodecs.
void write_picture(const cv::Mat& picture, const std::string& path);

}  // namespace bn
