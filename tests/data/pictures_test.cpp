// Pictures for people.
#include "bn/pictures.hpp"

#include <gtest/gtest.h>

#include "data/fixtures.hpp"

namespace bn {
namespace {

using namespace test;  // NOLINT(google-build-using-namespace)

struct Rgb {
  int red = 0, green = 0, blue = 0;
};

class HeatMapPicture : public testing::Test {
 protected:
  void draw(int64_t height, int64_t width, const HeatMap& map) {
    const EncodedSet set({png_image(height, width, 1)});
    DataOptions options;
    options.image_size = 32;
    options.resize_shorter = 64;  // so the network sees the middle half of the shorter side
    draw_heat_map(set, 0, options, map, dir_ / "map.png");
    picture_ = decode(bytes_of(read_bytes(dir_ / "map.png")));
    original_ = decode(png_image(height, width, 1));
  }
  static Rgb at(const Image& image, int64_t y, int64_t x) {
    const uint8_t* pixel = &image.pixels[static_cast<size_t>((y * image.width + x) * 3)];
    return {pixel[0], pixel[1], pixel[2]};
  }
  static int distance(const Rgb& a, const Rgb& b) {
    return std::abs(a.red - b.red) + std::abs(a.green - b.green) + std::abs(a.blue - b.blue);
  }

  const TemporaryFolder dir_;
  Image picture_, original_;
};

TEST_F(HeatMapPicture, ColoursWhatTheNetworkSawWhereTheMapIsAboveZero) {
  draw(400, 600, {.height = 2, .width = 2, .values = {-1, -1, -1, 3}});
  ASSERT_EQ(picture_.height, 400);
  ASSERT_EQ(picture_.width, 600);
  EXPECT_EQ(distance(at(picture_, 10, 10), at(original_, 10, 10)), 0);      // outside of the crop
  EXPECT_EQ(distance(at(picture_, 130, 230), at(original_, 130, 230)), 0);  // inside, below zero
  const Rgb hot = at(picture_, 280, 380), before = at(original_, 280, 380);
  EXPECT_GT(distance(hot, before), 60);
  EXPECT_GT(hot.red - before.red, hot.blue - before.blue);
}

TEST_F(HeatMapPicture, HasAHandySizeWhateverTheImages) {
  draw(4000, 200, {.height = 1, .width = 1, .values = {1}});
  EXPECT_EQ(picture_.height, 1024);
  EXPECT_EQ(picture_.width, 51);
  draw(20, 30, {.height = 1, .width = 1, .values = {-1}});
  EXPECT_EQ(picture_.height, 256);
  draw(1, 1, {.height = 7, .width = 7, .values = std::vector<float>(49, 1)});
  EXPECT_EQ(picture_.width, 256);
  draw(1, 5000, {.height = 1, .width = 1, .values = {1}});
  EXPECT_EQ(picture_.height, 1);
}

TEST(DrawThumbnail, KeepsTheFormOfEncodedAndRawImages) {
  const TemporaryFolder dir;
  const auto size_of = [&](const Dataset& set) {
    draw_thumbnail(set, 0, {}, 64, dir / "thumbnail.png");
    const Image picture = decode(bytes_of(read_bytes(dir / "thumbnail.png")));
    return std::pair(picture.height, picture.width);
  };
  EXPECT_EQ(size_of(EncodedSet({jpeg_image(100, 200, 1)})), std::pair(int64_t{32}, int64_t{64}));
  EXPECT_EQ(size_of(RawSet(1, 16, 1)), std::pair(int64_t{64}, int64_t{64}));
}

// Two filters of 2 x 2, of one colour and of three: a tile is 8 times as large, with a gap of 8 beside it.
TEST(DrawFilters, ScalesEachByItsLargestWeight) {
  const TemporaryFolder dir;
  Filters filters{.count = 2, .side = 2, .channels = 1, .weights = {0, 2, -2, 1, 0, 0, 0, 0}};
  const auto drawn = [&] {
    test::write_bytes(dir / "filters.png", picture_of(filters));
    Image picture = decode(bytes_of(read_bytes(dir / "filters.png")));
    EXPECT_EQ(picture.height, 16);
    EXPECT_EQ(picture.width, 40);
    return picture;
  };
  const auto at = [](const Image& picture, int64_t y, int64_t x, int64_t c) {
    return int{picture.pixels[static_cast<size_t>((y * picture.width + x) * 3 + c)]};
  };
  const Image grey = drawn();
  EXPECT_NEAR(at(grey, 0, 0, 0), 128, 1);
  EXPECT_EQ(at(grey, 7, 15, 1), 255);
  EXPECT_EQ(at(grey, 15, 7, 2), 0);
  EXPECT_NEAR(at(grey, 15, 15, 0), 191, 1);
  EXPECT_EQ(at(grey, 4, 20, 0), 255);  // the gap
  EXPECT_NEAR(at(grey, 4, 30, 0), 128, 1);
  filters.channels = 3;
  filters.weights.assign(24, 0);
  filters.weights[0] = 1;   // red
  filters.weights[4] = -1;  // the next pixel's green
  const Image coloured = drawn();
  EXPECT_EQ(at(coloured, 0, 0, 0), 255);
  EXPECT_NEAR(at(coloured, 0, 0, 1), 128, 1);
  EXPECT_EQ(at(coloured, 0, 8, 1), 0);
}

}  // namespace
}  // namespace bn
