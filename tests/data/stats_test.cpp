#include "data/stats.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "data/decode.hpp"
#include "data/packing.hpp"

namespace bn {
namespace {

using namespace test;  // NOLINT(google-build-using-namespace)

// Two colours, half of the pixels each: what varies lies on one line.
Bytes two_colours() {
  Image image;
  image.reshape(32, 32, 3);
  for (size_t i = 0; i < image.pixels.size(); i += 3) {
    const bool left = i / 3 % 32 < 16;
    image.pixels[i] = left ? 51 : 153;
    image.pixels[i + 1] = 102;
    image.pixels[i + 2] = left ? 51 : 102;
  }
  return encode_png(image.view());
}

TEST(Stats, MeasuresColours) {
  if (!has_imgcodecs()) GTEST_SKIP() << "this build has no imgcodecs to read a PNG with";
  const TempDir dir;
  const auto source = made_set(dir, 0, {{"a/1.png", two_colours()}, {"a/2.png", two_colours()}});
  pack_quietly(*source, {.out = dir.path("out"), .shards = 1});
  const SetStats stats = measure_stats(dir.path("out"), Split::kTrain, 100, 2);
  EXPECT_EQ(stats.measured, 2);
  EXPECT_EQ(stats.width.least, 32);
  EXPECT_EQ(stats.traits[2], 2);
  EXPECT_NEAR(stats.mean[0], 0.4, 1e-9);
  EXPECT_NEAR(stats.mean[1], 0.4, 1e-9);
  EXPECT_NEAR(stats.mean[2], 0.3, 1e-9);
  EXPECT_NEAR(stats.deviation[0], 0.2, 1e-9);
  EXPECT_NEAR(stats.deviation[1], 0, 1e-6);
  EXPECT_NEAR(stats.deviation[2], 0.1, 1e-9);
  EXPECT_NEAR(stats.eigenvalues[0], 0.05, 1e-9);  // along (2, 0, 1)
  EXPECT_NEAR(stats.eigenvalues[1], 0, 1e-9);
  EXPECT_NEAR(std::abs(stats.eigenvectors[0][0]), 2 / std::sqrt(5), 1e-6);
  ASSERT_EQ(stats.lighting.size(), 9U);
  EXPECT_NEAR(std::abs(stats.lighting[0]), 0.2, 1e-6);
  EXPECT_NEAR(std::abs(stats.lighting[2]), 0.1, 1e-6);
}

TEST(Stats, DoesNotDependOnTheThreads) {
  const TempDir dir;
  pack_quietly(*made_set(dir, 9), {.out = dir.path("out"), .shards = 2});
  const SetStats one = measure_stats(dir.path("out"), Split::kTrain, 7, 1);
  const SetStats four = measure_stats(dir.path("out"), Split::kTrain, 7, 4);
  EXPECT_EQ(one.measured, 7);
  EXPECT_EQ(one.mean, four.mean);
  EXPECT_EQ(one.lighting, four.lighting);
  EXPECT_GT(one.bytes.mean, 100);
  EXPECT_GE(one.height.most, one.height.least);
}

TEST(Stats, TheSheetShowsPlainAndAugmentedImages) {
  const TempDir dir;
  pack_quietly(*made_set(dir, 5), {.out = dir.path("out"), .shards = 1});
  DataOptions options = packed_options(dir.path("out"));
  options.image_size = 20;
  options.resize_shorter = 24;
  const Image sheet = draw_contact_sheet(options, 4, 3, 1);
  EXPECT_EQ(sheet.height, 80);
  EXPECT_EQ(sheet.width, 60);
  const auto set = open_dataset(options, Split::kTrain);
  Loader plain(*set, options, {.batch = 4, .split = Split::kValidation});
  Batch batch;
  plain.next(batch);
  // The first tile of the second row is the second image; its neighbours are other crops of it.
  const auto* expected = batch.images.as<uint8_t>() + 20 * 20 * 3;
  const auto* row = &sheet.pixels[20 * 60 * 3];
  EXPECT_TRUE(std::equal(row, row + 60, expected));
  EXPECT_FALSE(std::equal(row + 60, row + 120, expected));
  EXPECT_FALSE(std::equal(row + 60, row + 120, row + 120));
  EXPECT_CONTAINS(message_of<ConfigError>([&] { draw_contact_sheet(options, 6, 3, 1); }),
                  "no more rows than there are images");
}

}  // namespace
}  // namespace bn
