#include "data/exif.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>

namespace bn {
namespace {

enum class ByteOrder { kLittle, kBig };

// The TIFF structure inside an EXIF block; every read is checked against its end.
class Tiff {
 public:
  Tiff(const uint8_t* bytes, int64_t size) : bytes_(bytes), size_(size) {}

  // 1 to 8; nothing if there is none.
  std::optional<uint32_t> orientation() {
    if (size_ < 8) return std::nullopt;
    if (std::memcmp(bytes_, "II*\0", 4) != 0 && std::memcmp(bytes_, "MM\0*", 4) != 0) return std::nullopt;
    order_ = bytes_[0] == 'I' ? ByteOrder::kLittle : ByteOrder::kBig;
    constexpr int64_t kEntry = 12;
    constexpr uint32_t kOrientation = 0x0112, kShort = 3;
    const auto directory = number(4, 4);
    const auto entries = directory ? number(*directory, 2) : std::nullopt;
    for (int64_t i = 0; entries && i < *entries; ++i) {
      const int64_t entry = int64_t{*directory} + 2 + i * kEntry;
      if (number(entry, 2) != kOrientation) continue;
      const auto value = number(entry + 8, 2);
      if (number(entry + 2, 2) != kShort || !value || *value < 1 || *value > 8) return std::nullopt;
      return value;
    }
    return std::nullopt;
  }

 private:
  std::optional<uint32_t> number(int64_t offset, int64_t length) const {
    if (offset > size_ - length) return std::nullopt;
    uint32_t value = 0;
    for (int64_t i = 0; i < length; ++i) {
      value = value << 8 | bytes_[offset + (order_ == ByteOrder::kBig ? i : length - 1 - i)];
    }
    return value;
  }

  const uint8_t* bytes_;
  int64_t size_;
  ByteOrder order_ = ByteOrder::kBig;
};

// EXIF's 1 to 8: upright, mirrored, half a turn, upside down, transposed, a quarter turn, ...
constexpr std::array<Orientation, 8> kOrientations{{
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
      const auto value = Tiff(data + kSignature, length - 2 - kSignature).orientation();
      return value ? kOrientations[*value - 1] : Orientation{};
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
