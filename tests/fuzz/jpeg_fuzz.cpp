// Any bytes as a JPEG: its header, its EXIF block, the whole image and a part of it.
#include "bn/error.hpp"
#include "data/decode.hpp"

namespace {

void decode(const uint8_t* bytes, int64_t size, int64_t channels, bn::ExifOrientation exif) {
  constexpr int64_t kMaxPixels = 1 << 18;  // more only takes longer
  bn::ImageDecoder decoder({.channels = channels, .exif_orientation = exif});
  bn::Image image;
  try {
    const bn::Region whole = decoder.open(bytes, size);
    if (whole.height * whole.width > kMaxPixels) return;
    const bn::Region part{.top = whole.height / 3,
                          .left = whole.width / 3,
                          .height = (whole.height + 2) / 3,
                          .width = (whole.width + 2) / 3};
    const bn::Region place = decoder.decode_region(part, image);
    if (place.top + part.height > image.height || place.left + part.width > image.width) std::abort();
    decoder.open(bytes, size);
    decoder.decode(image);
    if (image.height != whole.height || image.width != whole.width || image.channels != channels) std::abort();
  } catch (const bn::Error&) {  // the promised error
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  const auto count = static_cast<int64_t>(size);
  bn::exif_orientation(bytes, count);  // of any format
  if (!bn::is_jpeg(bytes, count)) return 0;
  decode(bytes, count, 3, bn::ExifOrientation::kApply);
  decode(bytes, count, 1, bn::ExifOrientation::kIgnore);
  return 0;
}
