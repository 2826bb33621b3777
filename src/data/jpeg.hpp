// JPEG by libjpeg-turbo, which can decode a rectangle alone. The one rule to know: libjpeg leaves its functions by
// longjmp on an error, so the functions that call it own nothing that needs a destructor.
#pragma once

#include <cstdint>
#include <memory>

#include "data/image.hpp"

namespace bn {

struct Region {
  int64_t top = 0, left = 0, height = 0, width = 0;
  bool operator==(const Region&) const = default;
};

// Whether the coefficients of the rows below a region are read, though no pixels are made of them. Unread, damage there
// is not found, beyond a missing end marker.
enum class RowsBelow { kUnread, kChecked };

bool is_jpeg(const uint8_t* bytes, int64_t size);

class JpegDecoder {
 public:
  JpegDecoder();
  JpegDecoder(JpegDecoder&& other) noexcept;
  ~JpegDecoder();

  // All of these throw DataError when the data are damaged or cut off as far as they are read.
  // The bytes must stay where they are until the image is decoded. Returns the region {0, 0, height, width}.
  Region open(const uint8_t* bytes, int64_t size);
  // Decodes the whole image, to its end, as strictly as libjpeg's warnings allow. channels = 1 (luma) or 3 (RGB).
  void decode(int64_t channels, Image& out);
  // Decodes the rows and columns around the region, and returns where it lies in out: its pixels are exactly those of
  // the whole image. Damage above it is found too, and damage below it if that is checked.
  Region decode_region(const Region& region, int64_t channels, Image& out, RowsBelow below = RowsBelow::kChecked);

  bool is_progressive() const;
  bool has_four_inks() const;  // CMYK or YCCK
  bool is_gray() const;
  // The warnings for the image decoded last: oddities that libjpeg found harmless, such as stray bytes between markers.
  int64_t warnings() const;

 private:
  struct Impl;
  void finish(int64_t channels, Image& out);
  std::unique_ptr<Impl> impl_;
};

}  // namespace bn
