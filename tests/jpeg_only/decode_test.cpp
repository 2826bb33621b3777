// What a build without OpenCV's imgcodecs does with images.
#include "data/decode.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "bn/error.hpp"
#include "support/error_message.hpp"

namespace bn {
namespace {

Image square() {
  Image image;
  image.reshape(16, 16, 3);
  std::fill(image.pixels.begin(), image.pixels.end(), uint8_t{90});
  return image;
}

TEST(JpegOnly, ReadsJpeg) {
  const auto jpeg = encode_jpeg(square().view(), 90);
  Image image;
  decode_image(jpeg.data(), static_cast<int64_t>(jpeg.size()), 3, image);
  EXPECT_EQ(image.pixels, square().pixels);
}

TEST(JpegOnly, SaysThatOtherFormatsNeedAnotherBuild) {
  const auto png = encode_png(square().view());
  Image image;
  EXPECT_EQ(
      test::error_message<DataError>([&] { decode_image(png.data(), static_cast<int64_t>(png.size()), 3, image); }),
      "the data is no JPEG, and this build reads nothing else (BN_IMGCODECS=OFF); build with -DBN_IMGCODECS=ON");
}

TEST(JpegOnly, HasNoOtherDecoder) {
  EXPECT_FALSE(has_imgcodecs());
  EXPECT_EQ(test::error_message<UnsupportedError>([] { ImageDecoder({.decoder = Decoder::kOpencv}); }),
            "data.decoder: opencv needs OpenCV's imgcodecs, which this build was made without (BN_IMGCODECS=OFF); use "
            "jpeg_turbo or build with -DBN_IMGCODECS=ON");
}

}  // namespace
}  // namespace bn
