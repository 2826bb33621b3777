// Pixels to files.
#pragma once

#include <cstdint>
#include <vector>

#include "data/image.hpp"

namespace bn {

// Baseline JPEG of a gray or RGB image, chroma at half the resolution; quality 1 to 100. Throws DataError for sizes
// that JPEG does not know.
std::vector<uint8_t> encode_jpeg(const ImageView& image, int64_t quality);

// 8-bit PNG of a gray or RGB image.
std::vector<uint8_t> encode_png(const ImageView& image);

}  // namespace bn
