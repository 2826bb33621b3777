// Pixels to files.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "data/image.hpp"

namespace bn {

// Baseline JPEG of a gray or RGB image, chroma at half the resolution; quality 1 to 100. Throws DataError for sizes
// that JPEG does not know.
std::vector<uint8_t> encode_jpeg(const ImageView& image, int64_t quality);

// Writes a picture to look at, a PNG with kPictureMark. Throws ConfigError rather than replace another file.
void write_sheet(const ImageView& image, const std::string& path);

}  // namespace bn
