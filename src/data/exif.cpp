#include "data/exif.hpp"

#include <algorithm>
#include <array>
#include <cstring>

namespace bn {
namespace {

// The orientation in the TIFF structure of an EXIF block: 1 to 8, or 0 if there is none.
int64_t orientation_in(const FileHeader& tiff) {
  constexpr int64_t kEntry = 12, kOrientation = 0x0112, kShort = 3;
  const ByteOrder order = tiff.begins("II") ? ByteOrder::kLittle : ByteOrder::kBig;
  if (!tiff.begins({"II*\0", 4}) && !tiff.begins({"MM\0*", 4})) return 0;
  const int64_t directory = tiff.number(4, 4, order), entries = tiff.number(directory, 2, order);
  for (int64_t i = 0; i < entries; ++i) {
    const int64_t entry = directory + 2 + i * kEntry;
    if (tiff.number(entry, 2, order) != kOrientation) continue;
    const int64_t value = tiff.number(entry + 8, 2, order);
    return tiff.number(entry + 2, 2, order) == kShort && value <= 8 ? value : 0;
  }
  return 0;
}

// EXIF's 1 to 8, behind the one for none: upright, mirrored, half a turn, upside down, transposed, a quarter turn, ...
constexpr std::array<Orientation, 9> kOrientations{{
    {},
    {},
    {.mirrored_columns = true},
    {.mirrored_rows = true, .mirrored_columns = true},
    {.mirrored_rows = true},
    {.transposed = true},
    {.transposed = true, .mirrored_rows = true},
    {.transposed = true, .mirrored_rows = true, .mirrored_columns = true},
    {.transposed = true, .mirrored_columns = true},
}};

}  // namespace

Orientation exif_orientation(const uint8_t* bytes, int64_t size) {
  constexpr uint8_t kApp1 = 0xE1, kStartOfScan = 0xDA;
  constexpr int64_t kSignature = 6;  // "Exif", two zeros
  if (!is_jpeg(bytes, size)) return {};
  for (int64_t at = 2; at + 4 <= size && bytes[at] == 0xFF && bytes[at + 1] != kStartOfScan;) {
    const int64_t length = bytes[at + 2] << 8 | bytes[at + 3];  // counts its own two bytes
    if (length < 2 || length > size - at - 2) return {};
    const uint8_t* data = bytes + at + 4;
    if (bytes[at + 1] == kApp1 && length >= 2 + kSignature && std::memcmp(data, "Exif\0\0", kSignature) == 0) {
      return kOrientations.at(static_cast<size_t>(orientation_in({data + kSignature, length - 2 - kSignature})));
    }
    at += 2 + length;
  }
  return {};
}

Region stored_region(const Region& upright, const Orientation& orientation, int64_t stored_height,
                     int64_t stored_width) {
  Region region = upright;
  if (orientation.transposed) {
    region = {.top = upright.left, .left = upright.top, .height = upright.width, .width = upright.height};
  }
  if (orientation.mirrored_rows) region.top = stored_height - region.top - region.height;
  if (orientation.mirrored_columns) region.left = stored_width - region.left - region.width;
  return region;
}

void copy_upright(const ImageView& stored, const Region& region, const Orientation& orientation, Image& out) {
  const bool transposed = orientation.transposed;
  out.reshape(transposed ? region.width : region.height, transposed ? region.height : region.width, stored.channels);
  uint8_t* target = out.pixels.data();
  for (int64_t y = 0; y < out.height; ++y) {
    for (int64_t x = 0; x < out.width; ++x) {
      int64_t row = transposed ? x : y, column = transposed ? y : x;
      if (orientation.mirrored_rows) row = region.height - 1 - row;
      if (orientation.mirrored_columns) column = region.width - 1 - column;
      const int64_t pixel = (region.top + row) * stored.width + region.left + column;
      target = std::copy_n(stored.data + pixel * stored.channels, stored.channels, target);
    }
  }
}

}  // namespace bn
