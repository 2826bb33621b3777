// The orientation that a camera notes in an image's EXIF data: how the stored image is to be turned and mirrored.
#pragma once

#include <cstdint>
#include <optional>

#include "data/image.hpp"
#include "data/jpeg.hpp"

namespace bn {

// To find the pixel (y, x) of the upright image in the stored one, transpose, then mirror.
struct Orientation {
  bool transposed = false, mirrored_rows = false, mirrored_columns = false;
  bool is_upright() const { return !transposed && !mirrored_rows && !mirrored_columns; }
};

// The first directory of a TIFF file, or of EXIF data, which have the form of one.
class TiffDirectory {
 public:
  explicit TiffDirectory(const FileHeader& file);  // has no tags where it is no TIFF

  struct Value {
    int64_t at = 0, bytes = 0;  // of the first number, in the file
    int64_t number = 0;
  };
  std::optional<Value> find(int64_t tag) const;
  int64_t number(int64_t tag, int64_t otherwise) const;

 private:
  const FileHeader file_;
  ByteOrder order_ = ByteOrder::kBig;
  int64_t entries_at_ = 0, entries_ = 0;
};

bool is_tiff(const FileHeader& file);
inline constexpr int64_t kOrientationTag = 0x0112;

// Upright unless the bytes are a JPEG, PNG, WebP or TIFF with well-formed EXIF data that say otherwise.
Orientation exif_orientation(const uint8_t* bytes, int64_t size);

// Returns where a region of the upright image lies in the stored one, which has this height and width.
Region stored_region(const Region& upright, const Orientation& orientation, int64_t stored_height,
                     int64_t stored_width);

void copy_upright(const ImageView& stored, const Region& region, const Orientation& orientation, Image& out);

}  // namespace bn
