#include <gtest/gtest.h>

#include "bn/loader.hpp"
#include "data/fixtures.hpp"
#include "data/sources.hpp"

namespace bn {
namespace {

using namespace test;  // NOLINT(google-build-using-namespace)

// A tar of two classes whose image 2 is cut off.
DataOptions tar_options(const TemporaryFolder& dir) {
  std::vector<NamedBytes> members;
  for (int i = 0; i < 6; ++i) {
    const Bytes jpeg = jpeg_image(40 + 3 * i, 50 - 2 * i, i);
    members.push_back({(i < 3 ? "a/" : "b/") + std::to_string(i) + ".jpg", i == 2 ? first_part(jpeg, 0.6) : jpeg});
  }
  return {.kind = DatasetKind::kTar,
          .train = {dir.write("set.tar", tar_of(members))},
          .validation = {dir / "set.tar"},
          .image_size = 24,
          .resize_shorter = 30,
          .distortion = 0.5,
          .on_corrupt = OnCorrupt::kSkip,
          .workers = 2};
}

Bytes pixels_of(DataOptions options, Cache cache, Split split, uint64_t seed) {
  options.cache = cache;
  const auto set = open_dataset(options, split);
  Loader loader(*set, options, {.batch = 3, .split = split, .seed = seed});
  Batch batch;
  Bytes pixels;
  for (int i = 0; i < 4 && loader.next(batch); ++i) {
    const auto* bytes = batch.images.as<uint8_t>();
    pixels.insert(pixels.end(), bytes, bytes + batch.images.bytes());
  }
  EXPECT_GT(loader.counters().skipped, 0);
  return pixels;
}

TEST(CachedDataset, GivesThePixelsOfTheFiles) {
  const TemporaryFolder dir;
  const DataOptions options = tar_options(dir);
  for (const Split split : {Split::kTrain, Split::kValidation}) {
    for (uint64_t seed = 0; seed < 20; ++seed) {  // the damaged image is at each place of a batch
      EXPECT_EQ(pixels_of(options, Cache::kDecoded, split, seed), pixels_of(options, Cache::kNone, split, seed));
    }
  }
}

TEST(CachedDataset, KeepsWhatIsKnownOfTheImages) {
  const TemporaryFolder dir;
  DataOptions options = tar_options(dir);
  const auto plain = open_dataset(options, Split::kTrain);
  options.cache = Cache::kDecoded;
  const auto cached = open_dataset(options, Split::kTrain);
  EXPECT_EQ(cached->size(), 6);
  EXPECT_EQ(cached->label(5), 1);
  EXPECT_EQ(cached->name(5), plain->name(5));
  EXPECT_EQ(cached->class_names(), plain->class_names());
  EXPECT_EQ(cached->shard_sizes(), std::vector<int64_t>{6});
  std::vector<uint8_t> storage;
  EXPECT_CONTAINS(error_message<DataError>([&] { cached->read(2, storage); }), "the JPEG data is damaged or cut off (");
}

TEST(CachedDataset, ShrinksTrainingImagesToTwiceTheSizeOfEvaluation) {
  const TemporaryFolder dir;
  dir.write("set/a/large.jpg", jpeg_image(300, 200, 1));
  dir.write("set/a/small.jpg", jpeg_image(50, 40, 2));
  DataOptions options{.kind = DatasetKind::kFolder,
                      .train = {dir / "set"},
                      .validation = {dir / "set"},
                      .image_size = 24,
                      .resize_shorter = 30,
                      .cache = Cache::kShrunk};
  const auto training = open_dataset(options, Split::kTrain);
  Bytes storage;
  const Dataset::Sample large = training->read(0, storage), small = training->read(1, storage);
  EXPECT_EQ(large.raw_height, 90);
  EXPECT_EQ(large.raw_width, 60);
  EXPECT_EQ(small.raw_height, 50);
  EXPECT_EQ(small.raw_width, 40);
  EXPECT_EQ(open_dataset(options, Split::kValidation)->read(0, storage).raw_height, 0);  // the file itself
}

TEST(CachedDataset, RefusesMoreThanItsLimit) {
  const TemporaryFolder dir;
  const DataOptions options = tar_options(dir);
  const auto cache = [&](int64_t max_bytes) {
    cache_decoded(open_dataset(options, Split::kTrain), options, max_bytes);
  };
  constexpr int64_t kPixels = 40 * 50 + 43 * 48 + 49 * 44 + 52 * 42 + 55 * 40;  // the five sound images'
  EXPECT_NO_THROW(cache(3 * kPixels));
  EXPECT_EQ(error_message<ConfigError>([&] { cache(3 * kPixels - 1); }),
            "data.cache: decoded is for sets of up to 0.0 GB of pixels, and this one of 6 images has more; use cache: "
            "none");
  EXPECT_EQ(kMaxCacheBytes, int64_t{2} << 30);
}

}  // namespace
}  // namespace bn
