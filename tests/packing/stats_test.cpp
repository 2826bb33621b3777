#include "packing/stats.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "bn/loader.hpp"
#include "data/decode.hpp"
#include "packing/fixtures.hpp"

namespace bn {
namespace {

using namespace test;  // NOLINT(google-build-using-namespace)

// Two colours, half of the pixels each: all variation lies on one line.
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
  const TemporaryFolder dir;
  const auto source = made_set(dir, 0, {{"a/1.png", two_colours()}, {"a/2.png", two_colours()}});
  pack_quietly(*source, {.out = dir / "out", .shards = 1});
  const SetStats stats = measure_stats(dir / "out", Split::kTrain, 100, 2);
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
  EXPECT_NEAR(std::abs(stats.lighting[0]), 0.05 * 2 / std::sqrt(5), 1e-6);
  EXPECT_NEAR(std::abs(stats.lighting[2]), 0.05 / std::sqrt(5), 1e-6);
}

TEST(Stats, DoesNotDependOnTheThreads) {
  const TemporaryFolder dir;
  pack_quietly(*made_set(dir, 9), {.out = dir / "out", .shards = 2});
  const SetStats one = measure_stats(dir / "out", Split::kTrain, 7, 1);
  const SetStats four = measure_stats(dir / "out", Split::kTrain, 7, 4);
  EXPECT_EQ(one.measured, 7);
  EXPECT_EQ(one.mean, four.mean);
  EXPECT_EQ(one.lighting, four.lighting);
  EXPECT_GT(one.bytes.mean, 100);
  EXPECT_GE(one.height.most, one.height.least);
}

TEST(Stats, TheSheetShowsPlainAndAugmentedImages) {
  const TemporaryFolder dir;
  pack_quietly(*made_set(dir, 5), {.out = dir / "out", .shards = 1});
  DataOptions options = packed_options(dir / "out");
  options.image_size = 20;
  options.resize_shorter = 24;
  const Image sheet = draw_contact_sheet(options, Split::kTrain, 4, 3, 1);
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
  EXPECT_CONTAINS(error_message<ConfigError>([&] { draw_contact_sheet(options, Split::kTrain, 6, 3, 1); }),
                  "no more rows than there are images");
}

// The figures that other programs print with ImageNet's: eigenvectors, and the eigenvalues 0.2175, 0.0188 and 0.0045.
TEST(Stats, ImageNetsLightingIsMadeAlike) {
  constexpr std::array<double, 3> kEigenvalues{0.2175, 0.0188, 0.0045};
  constexpr std::array<std::array<double, 3>, 3> kEigenvectors{
      {{-0.5675, -0.5808, -0.5836}, {0.7192, -0.0045, -0.6948}, {0.4009, -0.8140, 0.4203}}};
  const DataOptions options;
  for (size_t k = 0; k < 3; ++k) {
    for (size_t c = 0; c < 3; ++c) {
      EXPECT_NEAR(options.lighting.at(3 * k + c), kEigenvalues[k] * kEigenvectors[k][c], 1e-4);
    }
  }
}

TEST(Stats, NamesAnImageThatHasChanged) {
  const TemporaryFolder dir;
  pack_quietly(*made_set(dir, 4), {.out = dir / "out", .shards = 1});
  Bytes shard = bytes_of(read_bytes(dir / "out/train-00000.tar"));
  shard[512 + 300] ^= 1;
  dir.write("out/train-00000.tar", shard);
  const std::string name = open_dataset(packed_options(dir / "out"), Split::kTrain)->name(0);
  EXPECT_EQ(error_message<DataError>([&] { measure_stats(dir / "out", Split::kTrain, 4, 1); }),
            name + ": the bytes are not those that were packed: the checksum differs");
}

TEST(Stats, TheSheetShowsTheSplitAskedFor) {
  const TemporaryFolder dir;
  const TemporaryFolder validation_dir;
  pack_quietly(*made_set(dir, 3), {.out = dir / "out", .shards = 1});
  const auto validation =
      made_set(validation_dir, 0, {{"a/1.jpg", jpeg_image(30, 40, 20)}, {"b/2.jpg", jpeg_image(30, 40, 21)}});
  pack_quietly(*validation, {.out = dir / "out", .split = Split::kValidation, .shards = 1});
  DataOptions options = packed_options(dir / "out");
  options.image_size = options.resize_shorter = 20;
  const Image sheet = draw_contact_sheet(options, Split::kValidation, 2, 1, 1);
  const auto set = open_dataset(options, Split::kValidation);
  Loader plain(*set, options, {.batch = 2, .split = Split::kValidation});
  Batch batch;
  plain.next(batch);
  EXPECT_TRUE(std::equal(sheet.pixels.begin(), sheet.pixels.end(), batch.images.as<uint8_t>()));
}

}  // namespace
}  // namespace bn
