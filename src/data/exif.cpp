#include "data/exif.hpp"

#include <algorithm>
#include <array>
#include <string_view>

namespace bn {
namespace {

constexpr std::string_view kExifSignature{"Exif\0\0", 6};
constexpr int64_t kShort = 3;  // a number's type: two bytes

// The orientation in the TIFF structure of EXIF data: 1 to 8, or 0 if there is none.
int64_t orientation_in(const FileHeader& tiff) {
  const auto value = TiffDirectory(tiff).find(kOrientationTag);
  return value && value->bytes == 2 && value->number <= 8 ? value->number : 0;
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

FileHeader exif_of_jpeg(const FileHeader& file) {
  constexpr int64_t kApp1 = 0xE1, kStartOfScan = 0xDA, kMarker = 0xFF;
  const auto byte = [&](int64_t at) { return file.number(at, 1, ByteOrder::kBig); };
  for (int64_t at = 2; at + 4 <= file.size() && byte(at) == kMarker && byte(at + 1) != kStartOfScan;) {
    if (byte(at + 1) == kMarker) {  // any number of bytes like its first may fill up the place before a marker
      ++at;
      continue;
    }
    const int64_t length = file.number(at + 2, 2, ByteOrder::kBig);  // counts its own two bytes
    if (length < 2 || length > file.size() - at - 2) break;
    const FileHeader data = file.part(at + 4, length - 2);
    if (byte(at + 1) == kApp1 && data.begins(kExifSignature)) return data;
    at += 2 + length;
  }
  return file.part(file.size(), 0);
}

FileHeader exif_of_png(const FileHeader& file) {
  constexpr int64_t kSignature = 8, kAround = 12;  // a chunk's length, type and checksum
  for (int64_t at = kSignature; at <= file.size() - kAround;) {
    const int64_t length = file.number(at, 4, ByteOrder::kBig);
    if (file.part(at + 4, 4).begins("eXIf")) return file.part(at + 8, length);
    at += kAround + length;
  }
  return file.part(file.size(), 0);
}

FileHeader exif_of_webp(const FileHeader& file) {
  constexpr int64_t kSignature = 12, kBefore = 8;  // a chunk's type and length
  for (int64_t at = kSignature; at <= file.size() - kBefore;) {
    const int64_t length = file.number(at + 4, 4, ByteOrder::kLittle);
    if (file.part(at, 4).begins("EXIF")) return file.part(at + kBefore, length);
    at += kBefore + length + length % 2;
  }
  return file.part(file.size(), 0);
}

FileHeader exif_of(const FileHeader& file) {
  if (file.begins("\xFF\xD8")) return exif_of_jpeg(file);
  if (file.begins("\x89PNG")) return exif_of_png(file);
  if (file.begins("RIFF") && file.part(8, 4).begins("WEBP")) return exif_of_webp(file);
  return file;
}

}  // namespace

bool is_tiff(const FileHeader& file) { return file.begins({"II*\0", 4}) || file.begins({"MM\0*", 4}); }

TiffDirectory::TiffDirectory(const FileHeader& file) : file_(file) {
  if (!is_tiff(file)) return;
  order_ = file.begins("II") ? ByteOrder::kLittle : ByteOrder::kBig;
  const int64_t directory = file.number(4, 4, order_);
  entries_ = file.number(directory, 2, order_);
  entries_at_ = directory + 2;
}

std::optional<TiffDirectory::Value> TiffDirectory::find(int64_t tag) const {
  constexpr int64_t kEntry = 12, kInline = 4;
  for (int64_t at = entries_at_; at < entries_at_ + entries_ * kEntry; at += kEntry) {
    if (file_.number(at, 2, order_) != tag) continue;
    Value value{.at = at + 8, .bytes = file_.number(at + 2, 2, order_) == kShort ? 2 : 4};
    if (file_.number(at + 4, 4, order_) * value.bytes > kInline) value.at = file_.number(at + 8, 4, order_);
    value.number = file_.number(value.at, value.bytes, order_);
    return value;
  }
  return std::nullopt;
}

int64_t TiffDirectory::number(int64_t tag, int64_t otherwise) const {
  const auto value = find(tag);
  return value ? value->number : otherwise;
}

Orientation exif_orientation(const uint8_t* bytes, int64_t size) {
  const FileHeader exif = exif_of({bytes, size});
  const auto signature = static_cast<int64_t>(kExifSignature.size());
  const FileHeader tiff = exif.begins(kExifSignature) ? exif.part(signature, exif.size() - signature) : exif;
  return kOrientations.at(static_cast<size_t>(orientation_in(tiff)));
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
