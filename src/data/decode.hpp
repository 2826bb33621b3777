// Encoded bytes to pixels: JPEG by libjpeg-turbo, everything else by OpenCV. A damaged file is an exception, never an
// exit or a gray patch.
#pragma once

#include <cstdint>
#include <vector>

#include "data/image.hpp"

namespace bn {

// Fills out with channels = 1 (luma) or 3 (RGB). Alpha is dropped; EXIF orientation is ignored, as training on ImageNet
// customarily does. Throws DataError saying what is wrong; the caller knows the image's name.
void decode_image(const uint8_t* bytes, int64_t size, int64_t channels, Image& out);

// RGB <-> gray by the JPEG luma weights; view must not be out's own pixels.
void convert_channels(const ImageView& view, int64_t channels, Image& out);

// 8-bit PNG of a gray or RGB image.
std::vector<uint8_t> encode_png(const ImageView& image);

}  // namespace bn
