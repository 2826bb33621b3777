// The orientation a camera notes in a JPEG's EXIF block: how the stored image is to be turned and mirrored.
#pragma once

#include <cstdint>

#include "data/image.hpp"
#include "data/jpeg.hpp"

namespace bn {

// To find the pixel (y, x) of the upright image in the stored one, transpose, then mirror.
struct Orientation {
  bool transposed = false, mirrored_rows = false, mirrored_columns = false;
  bool is_upright() const { return !transposed && !mirrored_rows && !mirrored_columns; }
};

// Upright unless the bytes are a JPEG with a well-formed EXIF block that says otherwise.
Orientation exif_orientation(const uint8_t* bytes, int64_t size);

// Returns where a region of the upright image lies in the stored one, which has this height and width.
Region stored_region(const Region& upright, const Orientation& orientation, int64_t stored_height,
                     int64_t stored_width);

// The region of the stored image, upright.
void copy_upright(const ImageView& stored, const Region& region, const Orientation& orientation, Image& out);

}  // namespace bn
