// Stands in for opencv.cpp in a build without OpenCV's imgcodecs, which need some 130 libraries: only JPEG can be read.
#include "bn/error.hpp"
#include "data/decode.hpp"

namespace bn {

bool has_imgcodecs() { return false; }

void decode_with_imgcodecs(const uint8_t*, int64_t, int64_t, Image&) {
  throw DataError(
      "the data is no JPEG, and this build reads nothing else (BN_IMGCODECS=OFF); build with -DBN_IMGCODECS=ON");
}

}  // namespace bn
