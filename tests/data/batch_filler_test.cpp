#include "data/batch_filler.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "data/decode.hpp"
#include "data/fixtures.hpp"

namespace bn {
namespace {

using namespace test;  // NOLINT(google-build-using-namespace)

const std::atomic<bool> kGoOn = false;

const AugmentOptions kNoAugment{.random_crop = false, .flip = false};

// The images of one batch, in order of their slots.
struct Filled {
  Bytes images;
  std::vector<int32_t> labels;
  int64_t valid = 0, first_index = 0, epoch = 0;
  std::vector<std::string> skipped;
};

Filled fill(const Dataset& set, const DataOptions& data, const LoaderOptions& options, int64_t batch = 0) {
  BatchFiller filler(set, data, options);
  BatchStorage storage = filler.make_storage();
  filler.fill(batch, storage, kGoOn);
  return {.images = Bytes(storage.images.begin(), storage.images.end()),
          .labels = storage.labels,
          .valid = storage.valid,
          .first_index = storage.first_index,
          .epoch = storage.epoch,
          .skipped = storage.skipped};
}

LoaderOptions validation_of(int64_t batch) { return {.batch = batch, .split = Split::kValidation}; }

TEST(BatchFiller, CopiesRawImagesOfTheRightSize) {
  const RawSet set(3, 28, 1);
  const auto storage = fill(set, {.image_size = 28, .image_channels = 1}, validation_of(3));
  Bytes expected, unused;
  for (int64_t i = 0; i < 3; ++i) {
    const auto sample = set.read(i, unused);
    expected.insert(expected.end(), sample.data, sample.data + sample.bytes);
  }
  EXPECT_EQ(storage.images, expected);
  EXPECT_EQ(storage.labels, (std::vector<int32_t>{0, 1, 2}));
}

TEST(BatchFiller, BinarizesAboveTheThreshold) {
  const RawSet set(1, 16, 1);  // pixel j is j
  const auto storage =
      fill(set, {.image_size = 16, .image_channels = 1, .binarize = 127, .augment = kNoAugment}, {.batch = 1});
  EXPECT_EQ(storage.images[127], 0);
  EXPECT_EQ(storage.images[128], 255);
  EXPECT_EQ(std::count(storage.images.begin(), storage.images.end(), 255), 128);
}

TEST(BatchFiller, BinarizesAfterTheCrop) {
  const RawSet set(4, 16, 1);
  const auto storage = fill(set, {.image_size = 12, .image_channels = 1, .binarize = 100}, {.batch = 4});
  for (const uint8_t pixel : storage.images) EXPECT_TRUE(pixel == 0 || pixel == 255);
}

TEST(BatchFiller, ConvertsTheChannelsOfRawImages) {
  const RawSet gray(1, 16, 1), colour(1, 16, 3);
  const auto replicated = fill(gray, {.image_size = 16, .image_channels = 3}, validation_of(1));
  ASSERT_EQ(replicated.images.size(), 768U);
  EXPECT_EQ(replicated.images[3 * 9], 9);
  EXPECT_EQ(replicated.images[3 * 9 + 2], 9);
  const auto luma = fill(colour, {.image_size = 16, .image_channels = 1}, validation_of(1));
  ASSERT_EQ(luma.images.size(), 256U);
  EXPECT_EQ(luma.images[10], 31);  // 30, 31, 32
}

TEST(BatchFiller, ResizesRawImagesWithoutTheDetour) {
  const RawSet set(1, 16, 1);
  Bytes expected(64);
  Bytes unused;
  const auto sample = set.read(0, unused);
  for (size_t i = 0; i < 64; ++i) {
    const size_t corner = i / 8 * 32 + i % 8 * 2;
    expected[i] = static_cast<uint8_t>(
        (sample.data[corner] + sample.data[corner + 1] + sample.data[corner + 16] + sample.data[corner + 17] + 2) / 4);
  }
  const auto storage = fill(set, {.image_size = 8, .image_channels = 1, .resize_shorter = 256}, validation_of(1));
  for (size_t i = 0; i < 64; ++i) EXPECT_NEAR(storage.images[i], expected[i], 1) << i;
}

TEST(BatchFiller, TrainingCropsAndMirrorsByEpochAndIndex) {
  const RawSet set(1, 32, 3);
  const DataOptions data{.image_size = 24};
  const LoaderOptions options{.batch = 1, .seed = 9};
  const auto first = fill(set, data, options, 0), second = fill(set, data, options, 1);
  EXPECT_NE(first.images, second.images);  // another epoch
  EXPECT_EQ(second.epoch, 1);
  EXPECT_EQ(first.images, fill(set, data, options, 0).images);
  EXPECT_NE(first.images, fill(set, data, {.batch = 1, .seed = 10}, 0).images);
}

TEST(BatchFiller, FlipAloneGivesTheImageOrItsMirror) {
  const RawSet set(1, 16, 1);
  const DataOptions data{.image_size = 16, .image_channels = 1, .augment = {.random_crop = false}};
  const auto plain = fill(set, data, validation_of(1)).images;
  int64_t mirrored = 0;
  for (int64_t epoch = 0; epoch < 200; ++epoch) {
    const auto image = fill(set, data, {.batch = 1}, epoch).images;
    if (image == plain) continue;
    ++mirrored;
    EXPECT_EQ(image[0], plain[15]);
    EXPECT_EQ(image[15], plain[0]);
  }
  EXPECT_NEAR(static_cast<double>(mirrored), 100, 35);
}

TEST(BatchFiller, DistortionIsDrawnAnewEachEpochForTrainingOnly) {
  const RawSet set(2, 16, 3);
  const DataOptions plain{.image_size = 16, .augment = kNoAugment};
  const DataOptions distorted{.image_size = 16, .augment = kNoAugment, .distortion = 1};
  EXPECT_EQ(fill(set, plain, validation_of(2)).images, fill(set, distorted, validation_of(2)).images);
  const auto first = fill(set, distorted, {.batch = 2}, 0).images,
             second = fill(set, distorted, {.batch = 2}, 1).images;
  EXPECT_NE(first, fill(set, plain, {.batch = 2}, 0).images);
  EXPECT_NE(first, second);
  EXPECT_EQ(first, fill(set, distorted, {.batch = 2}, 0).images);
  // The crop and the mirror are drawn before the distortion, so they stay as they are without it.
  const auto faint = fill(set, {.image_size = 12, .distortion = 1e-9}, {.batch = 2}).images;
  EXPECT_EQ(faint, fill(set, {.image_size = 12}, {.batch = 2}).images);
}

TEST(BatchFiller, ValidationResizesAndCutsTheCentre) {
  const EncodedSet set({png_image(60, 100, 1)});
  const auto storage = fill(set, {.image_size = 20, .resize_shorter = 30}, validation_of(1));
  const Image whole = decode(png_image(60, 100, 1));
  // The crop has half the size: its pixel (y, x) is the mean around (10 + 2 y, 30 + 2 x).
  const auto pixel = [&](int64_t y, int64_t x) { return whole.pixels[static_cast<size_t>((y * 100 + x) * 3)]; };
  EXPECT_NEAR(storage.images[0], pixel(10, 30), 1);
  EXPECT_NEAR(storage.images[19 * 3], pixel(10, 68), 1);
}

TEST(BatchFiller, RefusesABatchLargerThanTheTrainingSet) {
  const RawSet set(5, 8, 1);
  const DataOptions data{.image_size = 8, .image_channels = 1};
  EXPECT_EQ(error_message<DataError>([&] { BatchFiller(set, data, {.batch = 6}); }),
            "a batch of 6 images is larger than the training set of 5");
  EXPECT_NO_THROW(BatchFiller(set, data, {.batch = 5}));
  EXPECT_EQ(BatchFiller(set, data, validation_of(6)).batches_per_epoch(), 1);
}

TEST(BatchFiller, RefusesOptionsThatMakeNoSense) {
  const RawSet set(5, 8, 1);
  const auto message = [&](const DataOptions& data, int64_t batch = 1) {
    return error_message<ConfigError>([&] { BatchFiller(set, data, {.batch = batch}); });
  };
  EXPECT_EQ(message({}, 0), "data: the batch must hold at least one image");
  EXPECT_EQ(message({.image_size = 0}), "data: image_size must be at least 1");
  EXPECT_EQ(message({.image_channels = 2}), "data: image_channels must be 1 or 3");
  EXPECT_EQ(message({.image_size = 64, .resize_shorter = 32}),
            "data: resize_shorter must be 0 or at least image_size, or the centre crop does not fit");
  EXPECT_EQ(message({.binarize = 256}), "data: binarize must be -1 (off) or a threshold of 0 to 255");
  EXPECT_EQ(message({.augment = {.min_area = 0}}), "data: augment needs 0 < min_area <= max_area <= 1");
  EXPECT_EQ(message({.augment = {.max_area = 1.5}}), "data: augment needs 0 < min_area <= max_area <= 1");
  EXPECT_EQ(message({.augment = {.min_aspect = 2}}), "data: augment needs 0 < min_aspect <= max_aspect");
  EXPECT_EQ(message({.distortion = 1.5}), "data: distortion must be a strength from 0 to 1");
  EXPECT_EQ(message({.image_channels = 1, .distortion = 1}), "data: distortion needs image_channels: 3");
  EXPECT_EQ(message({.lighting = {1, 2}}), "data: lighting must have nine values, three directions of R, G and B");
}

TEST(BatchFiller, ACorruptTrainingImageIsReplacedByTheNextPosition) {
  const EncodedSet set = jpeg_set(4, {1, 2});
  const DataOptions data{
      .image_size = 16, .resize_shorter = 0, .shuffle = Shuffle::kNone, .on_corrupt = OnCorrupt::kSkip};
  const auto storage = fill(set, data, {.batch = 4});
  EXPECT_EQ(storage.labels, (std::vector<int32_t>{0, 3, 3, 3}));
  EXPECT_EQ(storage.skipped, (std::vector<std::string>{"set/1.jpg", "set/2.jpg", "set/2.jpg"}));
}

TEST(BatchFiller, QuarantineKeepsACopyAndTheReason) {
  const TemporaryFolder dir;
  const EncodedSet set = jpeg_set(4, {1});
  const DataOptions data{
      .image_size = 16, .resize_shorter = 0, .shuffle = Shuffle::kNone, .on_corrupt = OnCorrupt::kQuarantine};
  const auto storage = fill(set, data, {.batch = 4, .quarantine = dir / "aside"});
  EXPECT_EQ(storage.labels, (std::vector<int32_t>{0, 2, 2, 3}));
  Bytes bytes;
  set.read(1, bytes);
  EXPECT_EQ(bytes_of(read_bytes(dir / "aside/set%2F1.jpg")), bytes);
  EXPECT_EQ(read_bytes(dir / "aside/set%2F1.jpg.txt"),
            "set/1.jpg: the JPEG data is damaged or cut off (it has no end marker)\n");
  EXPECT_EQ(names_in(dir / "aside").size(), 2U);
  // Without a folder it is left out and named.
  EXPECT_EQ(fill(set, data, {.batch = 4}).skipped, (std::vector<std::string>{"set/1.jpg"}));
}

// An image that cannot even be read leaves its reason, not the bytes of the one before it.
TEST(BatchFiller, QuarantineHoldsNoOtherImage) {
  const TemporaryFolder dir;
  EncodedSet set = jpeg_set(4);
  set.on_read = [](int64_t index) {
    if (index == 1) throw DataError("cannot open it");
  };
  const DataOptions data{
      .image_size = 16, .resize_shorter = 0, .shuffle = Shuffle::kNone, .on_corrupt = OnCorrupt::kQuarantine};
  fill(set, data, {.batch = 4, .quarantine = dir / "aside"});
  EXPECT_EQ(names_in(dir / "aside"), (std::set<std::string>{"set%2F1.jpg.txt"}));
}

TEST(BatchFiller, QuarantineThatCannotBeWrittenIsAnError) {
  const TemporaryFolder dir;
  dir.write("file", "in the way");
  const DataOptions data{.image_size = 16, .resize_shorter = 0, .on_corrupt = OnCorrupt::kQuarantine};
  const auto message = error_message<StorageError>(
      [&] { fill(jpeg_set(4, {1}), data, {.batch = 4, .quarantine = dir / "file/aside"}); });
  EXPECT_CONTAINS(message, "file/aside/set%2F1.jpg");
}

TEST(BatchFiller, DecodersAgreeOnTheirPixels) {
  if (!has_imgcodecs()) GTEST_SKIP() << "this build has no imgcodecs";
  const EncodedSet set = jpeg_set(4);
  const DataOptions turbo{.image_size = 24}, opencv{.image_size = 24, .decoder = Decoder::kOpencv};
  EXPECT_EQ(fill(set, turbo, {.batch = 4}).images, fill(set, opencv, {.batch = 4}).images);
}

TEST(BatchFiller, TheLastPositionIsFollowedByTheFirst) {
  const EncodedSet set = jpeg_set(3, {2});
  const DataOptions data{
      .image_size = 16, .resize_shorter = 0, .shuffle = Shuffle::kNone, .on_corrupt = OnCorrupt::kSkip};
  EXPECT_EQ(fill(set, data, {.batch = 3}).labels, (std::vector<int32_t>{0, 1, 0}));
}

TEST(BatchFiller, ACorruptValidationImageIsLabelledAsPaddingButCounted) {
  const EncodedSet set = jpeg_set(3, {1});
  const DataOptions data{.image_size = 16, .resize_shorter = 0, .on_corrupt = OnCorrupt::kSkip};
  const auto storage = fill(set, data, validation_of(4));
  EXPECT_EQ(storage.labels, (std::vector<int32_t>{0, -1, 2, -1}));
  EXPECT_EQ(storage.valid, 3);
  EXPECT_EQ(storage.skipped, (std::vector<std::string>{"set/1.jpg"}));
  for (size_t i = 0; i < 16 * 16 * 3; ++i) ASSERT_EQ(storage.images[16 * 16 * 3 + i], 0);
}

TEST(BatchFiller, FailsWithTheNameOfTheCorruptImage) {
  const EncodedSet set({jpeg_image(20, 20, 1), {}});
  const auto message = error_message<DataError>([&] { fill(set, {.image_size = 16}, validation_of(2)); });
  EXPECT_EQ(message, "set/1.jpg: the file is empty; on_corrupt: skip would go on without it");
}

TEST(BatchFiller, SaysThatEveryImageIsCorrupt) {
  const EncodedSet set({{}, bytes_of("rubbish")});
  const DataOptions data{.image_size = 16, .shuffle = Shuffle::kNone, .on_corrupt = OnCorrupt::kSkip};
  EXPECT_EQ(error_message<DataError>([&] { fill(set, data, {.batch = 1}); }),
            "none of the 2 images of the training set can be read; the first: set/0.jpg");
}

TEST(BatchFiller, TheFirstEpochFindsDamageBelowTheCrop) {
  const EncodedSet set({damaged_jpeg(200).damaged});
  const DataOptions data{.image_size = 16, .augment = {.min_area = 0.01, .max_area = 0.02}};
  int64_t placed_later = 0;
  for (uint64_t seed = 0; seed < 10; ++seed) {
    EXPECT_CONTAINS(error_message<DataError>([&] { fill(set, data, {.batch = 1, .seed = seed}); }),
                    "the JPEG data is damaged or cut off (");
    try {
      placed_later += fill(set, data, {.batch = 1, .seed = seed}, 1).valid;
    } catch (const DataError&) {
    }
  }
  EXPECT_GT(placed_later, 0);  // where the crop lies above the damage
}

}  // namespace
}  // namespace bn
