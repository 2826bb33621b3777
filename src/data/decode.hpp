// Encoded bytes to pixels: JPEG by libjpeg-turbo or, if asked, by OpenCV, and all else by OpenCV, but some of Netpbm's
// pictures (imgcodecs/opencv.cpp). A damaged file is an exception, never an exit or a gray patch: OpenCV does not see
// damage in a JPEG, so libjpeg-turbo decodes it first.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "bn/dataset.hpp"
#include "data/exif.hpp"
#include "data/image.hpp"
#include "data/jpeg.hpp"

namespace bn {

struct DecodeOptions {
  int64_t channels = 3;  // 1 (luma) or 3 (RGB); alpha is dropped
  Decoder decoder = Decoder::kJpegTurbo;
  ExifOrientation exif_orientation = ExifOrientation::kIgnore;
};
DecodeOptions decode_options(const DataOptions& data);

// One thread reuses a decoder from image to image. Throws DataError saying what is wrong; the caller knows the image's
// name.
class ImageDecoder {
 public:
  explicit ImageDecoder(const DecodeOptions& options);  // UnsupportedError if this build lacks what they ask for

  // Returns the upright image's region {0, 0, height, width}. The bytes must stay where they are until it is decoded.
  Region open(const uint8_t* bytes, int64_t size);
  // Decodes the image opened last, whole and strictly.
  void decode(Image& out);
  // Decodes at least the region of it, and returns where that lies in out. Its pixels are exactly those of decode().
  Region decode_region(const Region& region, Image& out, RowsBelow below = RowsBelow::kChecked);
  // The pixels of a sample, encoded or raw, in as many channels as the options say: in `memory`, or where they are.
  ImageView pixels(const Dataset::Sample& sample, Image& memory);

 private:
  DecodeOptions options_;
  JpegDecoder jpeg_;
  Orientation orientation_;
  Region stored_;         // the whole image as it is stored
  bool by_jpeg_ = false;  // else decoded_ has been filled by open()
  Image decoded_;
};

// Throws DataError for an empty file, and for one whose size has more than 31 bits.
void check_file_size(int64_t size);

// Throws DataError for an image of more than 2^28 pixels, and for one of more than 2^25 that costs far more than it
// weighs: a header of a few bytes can claim 65,500 x 65,500 pixels, and a picture of one colour hold them.
void refuse_huge(int64_t width, int64_t height, int64_t file_bytes);

// Decodes by OpenCV's imgcodecs. In a build without them it throws a DataError that says so.
void decode_with_imgcodecs(const uint8_t* bytes, int64_t size, int64_t channels, Image& out);
bool has_imgcodecs();

// RGB <-> gray by the JPEG luma weights; view must not be out's own pixels.
void convert_channels(const ImageView& view, int64_t channels, Image& out);

// pictures.cpp: 8-bit PNG of a gray or RGB image, with a tEXt chunk, its type included, if it is given.
std::vector<uint8_t> encode_png(const ImageView& image, std::string_view mark = "");

}  // namespace bn
