#include "data/exif.hpp"

#include <gtest/gtest.h>
#include <zlib.h>

#include "data/decode.hpp"
#include "data/fixtures.hpp"

namespace bn {
namespace {

using namespace test;  // NOLINT(google-build-using-namespace)

Orientation orientation_of(const Bytes& bytes) {
  return exif_orientation(bytes.data(), static_cast<int64_t>(bytes.size()));
}

bool same(const Orientation& a, const Orientation& b) {
  return a.transposed == b.transposed && a.mirrored_rows == b.mirrored_rows && a.mirrored_columns == b.mirrored_columns;
}

TEST(Exif, IsReadInBothByteOrders) {
  const Bytes jpeg = jpeg_image(16, 24, 1);
  EXPECT_TRUE(orientation_of(jpeg).is_upright());
  for (const bool big_endian : {true, false}) {
    EXPECT_TRUE(orientation_of(with_orientation(jpeg, 1, big_endian)).is_upright());
    const Orientation quarter = orientation_of(with_orientation(jpeg, 6, big_endian));
    EXPECT_TRUE(quarter.transposed && quarter.mirrored_rows && !quarter.mirrored_columns);
  }
  Bytes filled = with_orientation(jpeg, 6);
  filled.insert(filled.begin() + 2, {0xFF, 0xFF, 0xFF});
  EXPECT_TRUE(orientation_of(filled).transposed);
  EXPECT_TRUE(orientation_of(with_orientation(jpeg, 9)).is_upright());
  EXPECT_TRUE(orientation_of(with_orientation(jpeg, 0)).is_upright());
}

TEST(Exif, TellsWhichImagesOfASetAreTurned) {
  const Bytes jpeg = jpeg_image(16, 24, 1);
  const EncodedSet set({jpeg, with_orientation(jpeg, 6), with_orientation(jpeg, 1)});
  EXPECT_FALSE(is_turned_by_exif(set, 0));
  EXPECT_TRUE(is_turned_by_exif(set, 1));
  EXPECT_FALSE(is_turned_by_exif(set, 2));
  EXPECT_EQ(shorter_side(set, 1, {.image_size = 8}), 16);
}

TEST(Exif, DamagedBlocksAreNoOrientation) {
  const Bytes whole = with_orientation(jpeg_image(16, 24, 1), 6);
  for (size_t size = 0; size < 36; ++size) {
    EXPECT_TRUE(orientation_of({whole.begin(), whole.begin() + static_cast<int64_t>(size)}).is_upright()) << size;
  }
  Bytes far = whole;
  far[12 + 4] = 0xFF;  // a directory beyond the end
  EXPECT_TRUE(orientation_of(far).is_upright());
}

// Six pixels, 2 high and 3 wide: the letters a b c / d e f.
std::string upright(uint8_t value, const Region& region) {
  const std::string letters = "abcdef";
  const ImageView stored{
      .data = reinterpret_cast<const uint8_t*>(letters.data()), .height = 2, .width = 3, .channels = 1};
  const Orientation orientation = orientation_of(with_orientation(jpeg_image(8, 8, 1), value));
  Image out;
  copy_upright(stored, stored_region(region, orientation, 2, 3), orientation, out);
  EXPECT_EQ(out.height, region.height);
  EXPECT_EQ(out.width, region.width);
  return {out.pixels.begin(), out.pixels.end()};
}

TEST(Exif, EachOrientationTurnsTheImage) {
  const Region wide{.height = 2, .width = 3}, tall{.height = 3, .width = 2};
  EXPECT_EQ(upright(1, wide), "abcdef");
  EXPECT_EQ(upright(2, wide), "cbafed");
  EXPECT_EQ(upright(3, wide), "fedcba");
  EXPECT_EQ(upright(4, wide), "defabc");
  EXPECT_EQ(upright(5, tall), "adbecf");
  EXPECT_EQ(upright(6, tall), "daebfc");
  EXPECT_EQ(upright(7, tall), "fcebda");
  EXPECT_EQ(upright(8, tall), "cfbead");
}

TEST(Exif, ARegionIsThatOfTheUprightImage) {
  EXPECT_EQ(upright(6, {.top = 1, .left = 1, .height = 2, .width = 1}), "bc");
  EXPECT_EQ(upright(8, {.top = 0, .left = 0, .height = 1, .width = 2}), "cf");
  EXPECT_EQ(upright(3, {.top = 1, .left = 0, .height = 1, .width = 2}), "cb");
}

TEST(Exif, IsIgnoredUnlessAsked) {
  const Bytes plain = jpeg_image(40, 60, 3), turned = with_orientation(plain, 6);
  EXPECT_FALSE(same(orientation_of(plain), orientation_of(turned)));
  const auto size = static_cast<int64_t>(turned.size());
  const Image stored = decode(plain);
  Image ignored, applied, part;
  for (const Decoder decoder : {Decoder::kJpegTurbo, Decoder::kOpencv}) {
    if (decoder == Decoder::kOpencv && !has_imgcodecs()) continue;
    ImageDecoder ignoring({.decoder = decoder});
    EXPECT_EQ(ignoring.open(turned.data(), size), (Region{.height = 40, .width = 60}));
    ignoring.decode(ignored);
    EXPECT_EQ(ignored.pixels, stored.pixels);
    ImageDecoder applying({.decoder = decoder, .exif_orientation = ExifOrientation::kApply});
    EXPECT_EQ(applying.open(turned.data(), size), (Region{.height = 60, .width = 40}));
    applying.decode(applied);
    // A quarter turn clockwise: the stored image's last row is the upright one's first column.
    for (size_t c = 0; c < 3; ++c) EXPECT_EQ(applied.pixels[c], stored.pixels[39 * 60 * 3 + c]);
    const Region region{.top = 20, .left = 10, .height = 7, .width = 9};
    applying.open(turned.data(), size);
    const Region place = applying.decode_region(region, part);
    for (int64_t y = 0; y < 7; ++y) {
      for (int64_t i = 0; i < 9 * 3; ++i) {
        const auto whole_byte = static_cast<size_t>(((20 + y) * 40 + 10) * 3 + i);
        const auto part_byte = static_cast<size_t>(((place.top + y) * part.width + place.left) * 3 + i);
        ASSERT_EQ(part.pixels[part_byte], applied.pixels[whole_byte]);
      }
    }
  }
}

void append_chunk(Bytes& to, const std::string& type, const Bytes& data) {
  const auto size = static_cast<uint8_t>(data.size());
  append(to, {0, 0, 0, size});
  append(to, bytes_of(type));
  append(to, data);
  const auto sum = crc32(0, to.data() + to.size() - data.size() - 4, static_cast<uInt>(data.size() + 4));
  for (const int shift : {24, 16, 8, 0}) to.push_back(static_cast<uint8_t>(sum >> shift));
}

TEST(Exif, IsReadInPngAndWebp) {
  const Bytes plain = png_image(40, 60, 3);
  constexpr int64_t kHeader = 33;  // signature and first chunk
  Bytes png(plain.begin(), plain.begin() + kHeader);
  append_chunk(png, "eXIf", exif_block(6));
  png.insert(png.end(), plain.begin() + kHeader, plain.end());
  EXPECT_TRUE(orientation_of(png).transposed);
  EXPECT_TRUE(orientation_of(plain).is_upright());
  for (const char* signature : {"", "Exif"}) {  // some programs put a JPEG's before the data
    Bytes webp = bytes_of("RIFF");
    append(webp, {0, 0, 0, 0});
    append(webp, bytes_of("WEBPVP8X"));
    append(webp, {3, 0, 0, 0, 1, 2, 3, 0});  // three bytes and one of filling
    append(webp, bytes_of("EXIF"));
    Bytes data = bytes_of(signature);
    if (!data.empty()) append(data, {0, 0});
    append(data, exif_block(6));
    append(webp, {static_cast<uint8_t>(data.size()), 0, 0, 0});
    append(webp, data);
    EXPECT_TRUE(orientation_of(webp).transposed) << signature;
  }
  if (!has_imgcodecs()) GTEST_SKIP() << "this build has no imgcodecs to read a PNG with";
  ImageDecoder ignoring({}), applying({.exif_orientation = ExifOrientation::kApply});
  const auto size = static_cast<int64_t>(png.size());
  EXPECT_EQ(ignoring.open(png.data(), size), (Region{.height = 40, .width = 60}));
  EXPECT_EQ(applying.open(png.data(), size), (Region{.height = 60, .width = 40}));
}

// Two gray pixels, 10 and 200, one above the other; the orientation says half a turn.
Bytes turned_tiff() {
  const std::vector<std::pair<uint8_t, uint8_t>> tags{{0, 1},  {1, 2},  {2, 8},  {3, 1},  {6, 1},
                                                      {17, 8}, {18, 3}, {21, 1}, {22, 2}, {23, 2}};
  Bytes tiff{'I', 'I', 42, 0, 10, 0, 0, 0, 10, 200, static_cast<uint8_t>(tags.size()), 0};
  for (const auto& [tag, value] : tags) append(tiff, {tag, 1, 3, 0, 1, 0, 0, 0, value, 0, 0, 0});
  append(tiff, {0, 0, 0, 0});
  return tiff;
}

TEST(Exif, OfATiffIsAppliedOnlyWhereItIsAsked) {
  if (!has_imgcodecs()) GTEST_SKIP() << "this build has no imgcodecs to read a TIFF with";
  const Bytes tiff = turned_tiff();
  const auto pixels = [&](ExifOrientation orientation) {
    ImageDecoder decoder({.channels = 1, .exif_orientation = orientation});
    Image image;
    decoder.open(tiff.data(), static_cast<int64_t>(tiff.size()));
    decoder.decode(image);
    return image.pixels;
  };
  EXPECT_EQ(pixels(ExifOrientation::kIgnore), (Bytes{10, 200}));
  EXPECT_EQ(pixels(ExifOrientation::kApply), (Bytes{200, 10}));
}

}  // namespace
}  // namespace bn
