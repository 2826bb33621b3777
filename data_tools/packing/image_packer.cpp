#include "packing/image_packer.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "bn/error.hpp"
#include "data/augment.hpp"
#include "data/decode.hpp"
#include "packing/encode.hpp"

namespace bn {
namespace {

const char* extension_of(const uint8_t* bytes, int64_t size) {
  if (is_jpeg(bytes, size)) return "jpg";
  const auto begins = [&](const char* magic, size_t length, int64_t at = 0) {
    return size >= at + static_cast<int64_t>(length) && std::memcmp(bytes + at, magic, length) == 0;
  };
  if (begins("\x89PNG", 4)) return "png";
  if (begins("BM", 2)) return "bmp";
  if (begins("WEBP", 4, 8)) return "webp";
  return "img";
}

}  // namespace

Inspection ImagePacker::inspect(const uint8_t* bytes, int64_t size) {
  Inspection result;
  check_file_size(size);
  if (is_jpeg(bytes, size)) {
    jpeg_.open(bytes, size);
    jpeg_.decode(jpeg_.is_gray() ? 1 : 3, image_);
    if (jpeg_.is_gray()) result.traits |= kTraitGray;
    if (jpeg_.has_four_inks()) result.traits |= kTraitFourInks;
    if (jpeg_.is_progressive()) result.traits |= kTraitProgressive;
    if (jpeg_.warnings() > 0) result.traits |= kTraitOdd;
  } else {
    decode_with_imgcodecs(bytes, size, 3, image_);
    result.traits = kTraitNotJpeg;
  }
  orientation_ = exif_orientation(bytes, size);
  if (!orientation_.is_upright()) result.traits |= kTraitTurned;
  constexpr int64_t kMaxSide = 65535;  // the limit of JPEG, and of the index
  if (std::max(image_.height, image_.width) > kMaxSide) {
    throw DataError(fmt::format("the image has {} x {} pixels, but the longest side can be {}", image_.width,
                                image_.height, kMaxSide));
  }
  result.height = image_.height;
  result.width = image_.width;
  return result;
}

// The image that is encoded anew has no EXIF data that could tell of its orientation.
void ImagePacker::turn(Inspection& facts) {
  if (orientation_.is_upright()) return;
  if (options_.exif_orientation == ExifOrientation::kIgnore) {
    facts.traits |= kTraitTurnLost;
    return;
  }
  copy_upright(image_.view(), {.height = image_.height, .width = image_.width}, orientation_, changed_);
  std::swap(image_, changed_);
}

ImagePacker::Result ImagePacker::prepare(const uint8_t* bytes, int64_t size) {
  Result result{
      .bytes = bytes, .size = size, .extension = extension_of(bytes, size), .inspection = inspect(bytes, size)};
  Inspection& facts = result.inspection;
  const bool is_resized = options_.resize_shorter > 0 && std::min(facts.height, facts.width) > options_.resize_shorter;
  if (options_.decoded_size > 0 || is_resized) turn(facts);
  if (options_.decoded_size > 0) {
    if (image_.channels == 1) {
      convert_channels(image_.view(), 3, changed_);
      std::swap(image_, changed_);
    }
    facts.height = facts.width = options_.decoded_size;
    changed_.reshape(facts.height, facts.width, 3);
    resize_and_center_crop(image_.view(), options_.decoded_size, options_.decoded_size, changed_.pixels.data());
    result.bytes = changed_.pixels.data();
    result.size = static_cast<int64_t>(changed_.pixels.size());
    result.extension = "rgb";
  } else if (is_resized) {
    resize_shorter_side(image_.view(), options_.resize_shorter, changed_);
    encoded_ = encode_jpeg(changed_.view(), options_.quality);
    facts.height = changed_.height;
    facts.width = changed_.width;
    result.bytes = encoded_.data();
    result.size = static_cast<int64_t>(encoded_.size());
    result.extension = "jpg";
  }
  return result;
}

}  // namespace bn
