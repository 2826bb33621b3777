#include "data/jpeg.hpp"

#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>

#include "bn/dataset.hpp"
#include "bn/rng.hpp"
#include "data/decode.hpp"
#include "data/fixtures.hpp"

namespace bn {
namespace {

using namespace test;  // NOLINT(google-build-using-namespace)

// True if the place in `part` holds the region of `whole`, bit for bit.
testing::AssertionResult is_region(const Image& part, const Region& place, const Image& whole, const Region& region) {
  for (int64_t y = 0; y < region.height; ++y) {
    const uint8_t* expected = &whole.pixels[static_cast<size_t>(((region.top + y) * whole.width + region.left) * 3)];
    const uint8_t* actual = &part.pixels[static_cast<size_t>(((place.top + y) * part.width + place.left) * 3)];
    if (std::memcmp(expected, actual, static_cast<size_t>(region.width * 3)) != 0) {
      return testing::AssertionFailure() << "row " << y << " of " << region.height << " x " << region.width << " at "
                                         << region.top << ", " << region.left;
    }
  }
  return testing::AssertionSuccess();
}

// Regions drawn at random and, with several of them, those at the corners.
std::vector<Region> regions_of(const Region& whole, uint64_t seed, int count) {
  RandomStream random(seed, 1);
  std::vector<Region> regions;
  if (count > 1) {
    regions = {{.height = 1, .width = 1}, whole};
    regions.push_back({.top = whole.height - 1, .left = whole.width - 1, .height = 1, .width = 1});
  }
  for (int i = 0; i < count; ++i) {
    Region region{.height = 1 + random.uniform_index(whole.height), .width = 1 + random.uniform_index(whole.width)};
    region.top = random.uniform_index(whole.height - region.height + 1);
    region.left = random.uniform_index(whole.width - region.width + 1);
    regions.push_back(region);
  }
  return regions;
}

// Decodes regions of the file and compares them with the whole; false if it is no sound JPEG.
bool regions_agree(const Bytes& bytes, const std::string& name, int count = 8) {
  JpegDecoder decoder;
  Image whole, part;
  const auto size = static_cast<int64_t>(bytes.size());
  if (!is_jpeg(bytes.data(), size)) return false;
  try {
    decoder.open(bytes.data(), size);
    decoder.decode(3, whole);
  } catch (const DataError&) {
    return false;
  }
  for (const Region& region : regions_of({.height = whole.height, .width = whole.width}, bytes.size(), count)) {
    decoder.open(bytes.data(), size);
    const Region place = decoder.decode_region(region, 3, part);
    EXPECT_EQ(place.height, region.height);
    EXPECT_EQ(place.width, region.width);
    EXPECT_TRUE(is_region(part, place, whole, region)) << name;
  }
  return true;
}

TEST(JpegRegion, EqualsThatOfTheWholeImage) {
  for (const auto& [height, width] : {std::pair<int64_t, int64_t>{1, 1}, {3, 50}, {16, 16}, {17, 33}, {120, 90}}) {
    EXPECT_TRUE(regions_agree(jpeg_image(height, width, 3), "made"));
    EXPECT_TRUE(regions_agree(cmyk_jpeg_image(height, width, {200, 100, 40, 255}), "CMYK"));
  }
}

TEST(JpegRegion, EqualsThatOfTheWholeImageForEveryOddFile) {
  REQUIRE_REAL_DATA("oddities");
  int agreed = 0, others = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(real_data("oddities"))) {
    if (!entry.is_regular_file() || entry.path().extension() == ".csv") continue;
    (regions_agree(bytes_of(read_bytes(entry.path().string())), entry.path().string()) ? agreed : others)++;
  }
  EXPECT_EQ(agreed, 31 + 12 + 1);
  EXPECT_EQ(others, 1 + 13 + 1 + 2);  // PNG, reference PNGs, a damaged decoder test, cut off and empty
}

// Checks every image in the tar, or some where a sanitizer makes decoding slow.
void expect_all_regions_agree(const std::string& tar, int count) {
  const DataOptions options{.kind = DatasetKind::kTar, .train = {tar}};
  const auto set = open_dataset(options, Split::kTrain);
  const int64_t step = std::getenv("BN_TEST_REDUCED") != nullptr ? 1 + set->size() / 20 : 1;
  std::vector<uint8_t> storage;
  for (int64_t i = 0; i < set->size(); i += step) {
    const auto sample = set->read(i, storage);
    EXPECT_TRUE(regions_agree({sample.data, sample.data + sample.bytes}, set->name(i), count));
  }
}

TEST(JpegRegion, EqualsThatOfTheWholeImageForEveryFullSizeImage) {
  REQUIRE_REAL_DATA("imagenet-fullres/train-00.tar");
  expect_all_regions_agree("imagenet-fullres/train-00.tar", 8);
}

TEST(JpegRegion, EqualsThatOfTheWholeImageForEverySmallImage) {
  REQUIRE_REAL_DATA("tiny-imagenet/val.tar");
  REQUIRE_REAL_DATA("imagenette-224/train.tar");
  for (const char* tar :
       {"tiny-imagenet/train-00.tar", "tiny-imagenet/train-01.tar", "tiny-imagenet/train-02.tar",
        "tiny-imagenet/train-03.tar", "tiny-imagenet/val.tar", "imagenette-224/train.tar", "imagenette-224/val.tar"}) {
    expect_all_regions_agree(tar, 1);
  }
}

TEST(JpegRegion, GrayHasOneChannel) {
  const Bytes bytes = jpeg_image(40, 60, 3);
  JpegDecoder decoder;
  Image whole, part;
  decoder.open(bytes.data(), static_cast<int64_t>(bytes.size()));
  decoder.decode(1, whole);
  decoder.open(bytes.data(), static_cast<int64_t>(bytes.size()));
  const Region place = decoder.decode_region({.top = 10, .left = 20, .height = 5, .width = 5}, 1, part);
  EXPECT_EQ(part.channels, 1);
  EXPECT_EQ(part.pixels[static_cast<size_t>(place.top * part.width + place.left)], whole.pixels[10 * 60 + 20]);
}

TEST(JpegRegion, ACutOffFileIsAnErrorWhereverTheRegionLies) {
  const Bytes whole = jpeg_image(200, 300, 4);
  JpegDecoder decoder;
  Image out;
  for (const double share : {0.4, 0.6, 0.99}) {
    const Bytes cut = first_part(whole, share);
    decoder.open(cut.data(), static_cast<int64_t>(cut.size()));
    EXPECT_EQ(error_message<DataError>([&] { decoder.decode_region({.height = 8, .width = 8}, 3, out); }),
              "the JPEG data is damaged or cut off (it has no end marker)");
  }
  // The decoder is as good as new after an error.
  EXPECT_TRUE(regions_agree(whole, "after an error"));
}

// The end marker is there, so that only reading the coefficients finds the damage.
TEST(JpegRegion, DamageBelowItIsFound) {
  const auto [whole, damaged] = damaged_jpeg(200);
  JpegDecoder decoder;
  Image out;
  for (const Region& region : {Region{.height = 8, .width = 8}, Region{.top = 190, .height = 10, .width = 200}}) {
    decoder.open(damaged.data(), static_cast<int64_t>(damaged.size()));
    EXPECT_CONTAINS(error_message<DataError>([&] { decoder.decode_region(region, 3, out); }),
                    "the JPEG data is damaged or cut off (");
  }
  decoder.open(damaged.data(), static_cast<int64_t>(damaged.size()));
  EXPECT_NO_THROW(decoder.decode_region({.height = 8, .width = 8}, 3, out, RowsBelow::kUnread));
  EXPECT_TRUE(regions_agree(whole, "after an error"));
}

// The bytes of an image without the segments of this marker.
Bytes without_segments(const Bytes& jpeg, uint8_t marker) {
  Bytes kept(jpeg.begin(), jpeg.begin() + 2);
  size_t at = 2;
  while (jpeg[at + 1] != 0xDA) {
    const size_t length = 2 + (jpeg[at + 2] << 8 | jpeg[at + 3]);
    if (jpeg[at + 1] != marker)
      kept.insert(kept.end(), jpeg.begin() + static_cast<int64_t>(at),
                  jpeg.begin() + static_cast<int64_t>(at + length));
    at += length;
  }
  kept.insert(kept.end(), jpeg.begin() + static_cast<int64_t>(at), jpeg.end());
  return kept;
}

TEST(JpegDecoder, TakesNothingFromTheImageBefore) {
  const Bytes whole = jpeg_image(40, 40, 1);
  constexpr uint8_t kQuantization = 0xDB;
  const Bytes bare = without_segments(whole, kQuantization);
  const auto decode_with = [](JpegDecoder& decoder, const Bytes& bytes) {
    Image image;
    decoder.open(bytes.data(), static_cast<int64_t>(bytes.size()));
    decoder.decode(3, image);
  };
  JpegDecoder fresh, used;
  EXPECT_THROW(decode_with(fresh, bare), DataError);
  decode_with(used, whole);
  EXPECT_THROW(decode_with(used, bare), DataError);
  EXPECT_NO_THROW(decode_with(used, whole));
}

TEST(JpegDecoder, CountsHarmlessOddities) {
  Bytes odd = jpeg_image(40, 40, 2);
  odd.insert(odd.end() - 2, {1, 2, 3});  // before the end marker
  JpegDecoder decoder;
  Image out;
  for (int i = 0; i < 2; ++i) {
    decoder.open(odd.data(), static_cast<int64_t>(odd.size()));
    decoder.decode(3, out);
    EXPECT_EQ(decoder.warnings(), 1);
  }
  const Bytes sound = jpeg_image(40, 40, 2);
  decoder.open(sound.data(), static_cast<int64_t>(sound.size()));
  decoder.decode(3, out);
  EXPECT_EQ(decoder.warnings(), 0);
}

TEST(JpegDecoder, TellsTheKindOfFile) {
  const Bytes colour = jpeg_image(20, 20, 2), inks = cmyk_jpeg_image(20, 20, {1, 2, 3, 4});
  JpegDecoder decoder;
  decoder.open(colour.data(), static_cast<int64_t>(colour.size()));
  EXPECT_FALSE(decoder.has_four_inks() || decoder.is_gray() || decoder.is_progressive());
  decoder.open(inks.data(), static_cast<int64_t>(inks.size()));
  EXPECT_TRUE(decoder.has_four_inks());
}

}  // namespace
}  // namespace bn
