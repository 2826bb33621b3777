#include "data/decode.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <opencv2/core/utility.hpp>

#include "bn/error.hpp"

namespace bn {

DecodeOptions decode_options(const DataOptions& data) {
  return {.channels = data.image_channels, .decoder = data.decoder, .exif_orientation = data.exif_orientation};
}

ImageDecoder::ImageDecoder(const DecodeOptions& options) : options_(options) {
  if (options.decoder == Decoder::kOpencv && !has_imgcodecs()) {
    throw UnsupportedError(
        "data.decoder: opencv needs OpenCV's imgcodecs, which this build was made without (BN_IMGCODECS=OFF); use "
        "jpeg_turbo or build with -DBN_IMGCODECS=ON");
  }
}

Region ImageDecoder::open(const uint8_t* bytes, int64_t size) {
  check_file_size(size);
  by_jpeg_ = options_.decoder == Decoder::kJpegTurbo && is_jpeg(bytes, size);
  if (by_jpeg_) {
    stored_ = jpeg_.open(bytes, size);
  } else {
    if (is_jpeg(bytes, size)) {  // refuses damage, which OpenCV fills with gray
      jpeg_.open(bytes, size);
      jpeg_.decode(options_.channels, decoded_);
    }
    decode_with_imgcodecs(bytes, size, options_.channels, decoded_);
    stored_ = {.height = decoded_.height, .width = decoded_.width};
  }
  orientation_ = {};
  if (options_.exif_orientation == ExifOrientation::kApply) orientation_ = exif_orientation(bytes, size);
  return orientation_.transposed ? Region{.height = stored_.width, .width = stored_.height} : stored_;
}

void ImageDecoder::decode(Image& out) {
  if (orientation_.is_upright()) {
    by_jpeg_ ? jpeg_.decode(options_.channels, out) : std::swap(decoded_, out);
    return;
  }
  if (by_jpeg_) jpeg_.decode(options_.channels, decoded_);
  copy_upright(decoded_.view(), stored_, orientation_, out);
}

Region ImageDecoder::decode_region(const Region& region, Image& out, RowsBelow below) {
  if (orientation_.is_upright()) {
    if (by_jpeg_) return jpeg_.decode_region(region, options_.channels, out, below);
    std::swap(decoded_, out);
    return region;
  }
  Region place = stored_region(region, orientation_, stored_.height, stored_.width);
  if (by_jpeg_) place = jpeg_.decode_region(place, options_.channels, decoded_, below);
  copy_upright(decoded_.view(), place, orientation_, out);
  return {.height = region.height, .width = region.width};
}

ImageView ImageDecoder::pixels(const Dataset::Sample& sample, Image& memory) {
  const ImageView raw{sample.data, sample.raw_height, sample.raw_width, sample.raw_channels};
  if (raw.channels == options_.channels) return raw;
  if (raw.channels == 0) {
    open(sample.data, sample.bytes);
    decode(memory);
  } else {
    convert_channels(raw, options_.channels, memory);
  }
  return memory.view();
}

bool is_turned_by_exif(const Dataset& images, int64_t index) {
  std::vector<uint8_t> encoded;
  const Dataset::Sample sample = images.read(index, encoded);
  return sample.raw_channels == 0 && !exif_orientation(sample.data, sample.bytes).is_upright();
}

int64_t shorter_side(const Dataset& images, int64_t index, const DataOptions& data) {
  std::vector<uint8_t> encoded;
  Image decoded;
  const ImageView image = ImageDecoder(decode_options(data)).pixels(images.read(index, encoded), decoded);
  return std::min(image.height, image.width);
}

std::string reason_unreadable(const Dataset& images, int64_t index, const DataOptions& data) {
  try {
    shorter_side(images, index, data);
    return "";
  } catch (const DataError& error) {
    return error.what();
  }
}

void check_file_size(int64_t size) {
  if (size == 0) throw DataError("the file is empty");
  if (size > INT32_MAX) throw DataError(fmt::format("the file has {} bytes, too many for one image", size));
}

void refuse_huge(int64_t width, int64_t height, int64_t file_bytes) {
  constexpr int64_t kMaxPixels = int64_t{1} << 28, kLarge = int64_t{1} << 25, kPixelsPerByte = 100;
  if (height == 0 || width <= kLarge / height) return;
  if (width > kMaxPixels / height) {
    throw DataError(
        fmt::format("the image claims {} x {} pixels, more than the {} accepted", width, height, kMaxPixels));
  }
  if (width * height > kPixelsPerByte * file_bytes) {
    throw DataError(fmt::format(
        "the image has {} x {} pixels in {} bytes, more than {} a byte: it would cost far more than it shows", width,
        height, file_bytes, kPixelsPerByte));
  }
}

void convert_channels(const ImageView& view, int64_t channels, Image& out) {
  out.reshape(view.height, view.width, channels);
  const int64_t pixels = view.height * view.width;
  uint8_t* target = out.pixels.data();
  if (view.channels == channels) {
    std::copy_n(view.data, pixels * channels, target);
  } else if (channels == 3) {
    for (int64_t i = 0; i < pixels; ++i) std::fill_n(target + 3 * i, 3, view.data[i]);
  } else {
    for (int64_t i = 0; i < pixels; ++i) {
      const uint8_t* rgb = view.data + 3 * i;
      target[i] = static_cast<uint8_t>((19595 * rgb[0] + 38470 * rgb[1] + 7471 * rgb[2] + 32768) >> 16);
    }
  }
}

std::string image_library() { return "OpenCV " + cv::getVersionString(); }

}  // namespace bn
