#include <gtest/gtest.h>
#include <sys/resource.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <set>
#include <thread>

#include "bn/data_options.hpp"
#include "bn/dataset.hpp"
#include "bn/loader.hpp"
#include "data/fixtures.hpp"
#include "support/allocation_count.hpp"

namespace bn {
namespace {

using namespace test;  // NOLINT(google-build-using-namespace)
using namespace std::chrono_literals;

struct Copied {
  Bytes images;
  std::vector<int32_t> labels;
  int64_t valid = 0, first_index = 0, epoch = 0;
  bool operator==(const Copied&) const = default;
};

std::vector<Copied> take(Loader& loader, int64_t count) {
  std::vector<Copied> batches;
  Batch batch;
  for (int64_t i = 0; i < count && loader.next(batch); ++i) {
    const auto* pixels = batch.images.as<uint8_t>();
    batches.push_back({.images = Bytes(pixels, pixels + batch.images.bytes()),
                       .labels = std::vector<int32_t>(batch.labels, batch.labels + batch.images.shape.n),
                       .valid = batch.valid,
                       .first_index = batch.first_index,
                       .epoch = batch.epoch});
  }
  return batches;
}

std::vector<Copied> take(const Dataset& set, DataOptions data, const LoaderOptions& options, int64_t workers,
                         int64_t count) {
  data.workers = workers;
  Loader loader(set, data, options);
  return take(loader, count);
}

constexpr int64_t kWorkerCounts[] = {0, 1, 2, 8};

TEST(Loader, AnyNumberOfWorkersGivesTheSameBits) {
  const EncodedSet set = jpeg_set(17, {5});
  const DataOptions data{.image_size = 24, .on_corrupt = OnCorrupt::kSkip, .slots = 3};
  const LoaderOptions training{.batch = 4, .seed = 3};
  const auto expected = take(set, data, training, 0, 14);  // three and a half epochs
  ASSERT_EQ(expected.size(), 14U);
  for (const int64_t workers : kWorkerCounts) {
    EXPECT_TRUE(take(set, data, training, workers, 14) == expected) << workers;
  }
  const LoaderOptions validation{.batch = 4, .split = Split::kValidation};
  const auto all = take(set, data, validation, 0, 100);
  ASSERT_EQ(all.size(), 5U);
  for (const int64_t workers : kWorkerCounts) {
    EXPECT_TRUE(take(set, data, validation, workers, 100) == all) << workers;
  }
}

TEST(Loader, EachEpochTakesDifferentImagesAndDropsTheRest) {
  const RawSet set(17, 8, 1);
  const DataOptions data{.image_size = 8, .image_channels = 1};
  Loader loader(set, data, {.batch = 4});
  EXPECT_EQ(loader.batches_per_epoch(), 4);
  std::set<std::vector<int32_t>> orders;
  for (int64_t epoch = 0; epoch < 3; ++epoch) {
    std::vector<int32_t> order;
    for (const auto& batch : take(loader, 4)) {
      EXPECT_EQ(batch.epoch, epoch);
      EXPECT_EQ(batch.valid, 4);
      order.insert(order.end(), batch.labels.begin(), batch.labels.end());
    }
    EXPECT_EQ(std::set<int32_t>(order.begin(), order.end()).size(), 16U);
    orders.insert(order);
  }
  EXPECT_EQ(orders.size(), 3U);
}

TEST(Loader, StartsAtAnyBatchAsIfItHadNeverStopped) {
  const RawSet set(17, 16, 3);
  const DataOptions data{.image_size = 12};
  for (const int64_t workers : {0, 2}) {
    const auto whole = take(set, data, {.batch = 4, .seed = 3}, workers, 12);
    for (const int64_t first : {1, 4, 7}) {
      const auto rest = take(set, data, {.batch = 4, .seed = 3, .first_batch = first}, workers, 12 - first);
      EXPECT_TRUE(std::equal(rest.begin(), rest.end(), whole.begin() + first, whole.end())) << first;
    }
  }
}

TEST(Loader, AResumedRunSeesTheImagesItWouldHaveSeen) {
  RawSet set(18, 16, 3);
  set.shards = {7, 2, 9};
  for (const Shuffle shuffle : {Shuffle::kNone, Shuffle::kShards, Shuffle::kWithinShard, Shuffle::kFull}) {
    const DataOptions data{.image_size = 12, .distortion = 0.5, .shuffle = shuffle};
    LoaderOptions options{.batch = 3, .seed = 3, .part = {.rank = 1, .world = 2}};
    const auto whole = take(set, data, options, 2, 12);  // four epochs
    options.first_batch = 5;
    const auto rest = take(set, data, options, 8, 7);
    EXPECT_TRUE(std::equal(rest.begin(), rest.end(), whole.begin() + 5, whole.end())) << static_cast<int>(shuffle);
  }
}

TEST(Loader, ProcessesShareAnEpochWithoutOverlap) {
  const RawSet set(23, 8, 3);
  std::multiset<int32_t> seen;
  for (int64_t rank = 0; rank < 3; ++rank) {
    Loader loader(set, {.image_size = 8}, {.batch = 2, .seed = 4, .part = {.rank = rank, .world = 3}});
    EXPECT_EQ(loader.batches_per_epoch(), 3);  // the set has seven images
    for (const auto& batch : take(loader, 3)) seen.insert(batch.labels.begin(), batch.labels.end());
  }
  EXPECT_EQ(seen.size(), 18U);
  EXPECT_EQ(std::set<int32_t>(seen.begin(), seen.end()).size(), 18U);
}

TEST(Loader, ValidationDeliversEachImageOnceAndEnds) {
  const RawSet set(10, 8, 1);
  for (const int64_t workers : kWorkerCounts) {
    const DataOptions data{.image_size = 8, .image_channels = 1, .workers = workers};
    Loader loader(set, data, {.batch = 4, .split = Split::kValidation});
    const auto batches = take(loader, 100);
    ASSERT_EQ(batches.size(), 3U);
    EXPECT_EQ(batches[0].labels, (std::vector<int32_t>{0, 1, 2, 3}));
    EXPECT_EQ(batches[1].first_index, 4);
    EXPECT_EQ(batches[2].labels, (std::vector<int32_t>{8, 9, -1, -1}));
    EXPECT_EQ(batches[2].valid, 2);
    Batch batch;
    EXPECT_FALSE(loader.next(batch));
    EXPECT_FALSE(loader.next(batch));
  }
}

TEST(Loader, TheTensorDescribesTheBatch) {
  const RawSet set(3, 8, 3);
  Loader loader(set, {.image_size = 8}, {.batch = 2});
  Batch batch;
  ASSERT_TRUE(loader.next(batch));
  EXPECT_EQ(batch.images.shape, (Shape{2, 8, 8, 3}));
  EXPECT_EQ(batch.images.dtype, DType::kU8);
  EXPECT_TRUE(batch.images.is_dense());
}

TEST(Loader, AWorkersErrorComesOutOfNextInItsTurn) {
  const EncodedSet set = jpeg_set(12, {9});
  for (const int64_t workers : kWorkerCounts) {
    const DataOptions data{.image_size = 16, .shuffle = Shuffle::kNone, .workers = workers};
    Loader loader(set, data, {.batch = 4});
    Batch batch;
    EXPECT_TRUE(loader.next(batch));
    EXPECT_TRUE(loader.next(batch));
    for (int i = 0; i < 2; ++i) {
      const auto message = error_message<DataError>([&] { loader.next(batch); });
      EXPECT_CONTAINS(message, "set/9.jpg: the JPEG data is damaged or cut off (");
      EXPECT_CONTAINS(message, "; on_corrupt: skip would go on without it");
    }
  }
}

TEST(Loader, CountsAndNamesTheSkippedImagesOfDeliveredBatches) {
  const EncodedSet set = jpeg_set(8, {1, 6});
  for (const int64_t workers : kWorkerCounts) {
    const DataOptions data{
        .image_size = 16, .shuffle = Shuffle::kNone, .on_corrupt = OnCorrupt::kSkip, .workers = workers};
    Loader loader(set, data, {.batch = 4});
    take(loader, 1);
    EXPECT_EQ(loader.counters().skipped, 1);
    EXPECT_EQ(loader.counters().skipped_names, (std::vector<std::string>{"set/1.jpg"}));
    take(loader, 199);
    EXPECT_EQ(loader.counters().skipped, 200);
    EXPECT_EQ(loader.counters().skipped_names, (std::vector<std::string>{"set/1.jpg", "set/6.jpg"}));  // each once
  }
}

TEST(Loader, NamesAHundredSkippedImagesAtMost) {
  std::vector<Bytes> files(150, Bytes{0xFF, 0xD8});
  files.push_back(jpeg_image(20, 20, 1));
  const EncodedSet set(files);
  Loader loader(set, {.image_size = 16, .resize_shorter = 16, .on_corrupt = OnCorrupt::kSkip, .workers = 0},
                {.batch = 151, .split = Split::kValidation});
  take(loader, 1);
  EXPECT_EQ(loader.counters().skipped, 150);
  EXPECT_EQ(loader.counters().skipped_names.size(), 100U);
}

TEST(Loader, RefusesOptionsThatMakeNoSense) {
  const RawSet set(5, 8, 1);
  const auto message = [&](DataOptions data, const LoaderOptions& options) {
    data.image_size = 8;
    data.image_channels = 1;
    return error_message<Error>([&] { Loader(set, data, options); });
  };
  EXPECT_EQ(message({.workers = -1}, {.batch = 1}), "data: workers must be 0 or more, not -1");
  EXPECT_EQ(message({.slots = 0}, {.batch = 1}), "data: slots must be at least 1, not 0");
  EXPECT_EQ(message({}, {.batch = 1, .first_batch = -1}), "data: there is no batch -1");
}

TEST(Loader, OneSlotServesSeveralWorkers) {
  const RawSet set(9, 8, 1);
  const DataOptions data{.image_size = 8, .image_channels = 1, .slots = 1};
  EXPECT_TRUE(take(set, data, {.batch = 2}, 3, 20) == take(set, data, {.batch = 2}, 0, 20));
}

TEST(Loader, EndsPromptlyWhateverTheWorkersDo) {
  EncodedSet set = jpeg_set(64);
  set.on_read = [](int64_t) { std::this_thread::sleep_for(20ms); };
  const DataOptions data{.image_size = 16, .workers = 2, .slots = 2};
  const auto seconds_to_end = [&](int64_t batches, std::chrono::milliseconds pause) {
    auto loader = std::make_unique<Loader>(set, data, LoaderOptions{.batch = batches == 0 ? 64 : 1});
    take(*loader, batches);
    std::this_thread::sleep_for(pause);
    const auto start = std::chrono::steady_clock::now();
    loader.reset();
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  };
  EXPECT_LT(seconds_to_end(0, 0ms), 0.6);    // just started
  EXPECT_LT(seconds_to_end(0, 50ms), 0.6);   // a batch takes 1.3 s
  EXPECT_LT(seconds_to_end(3, 200ms), 0.6);  // waiting for a free slot
}

TEST(Loader, MeasuresHowLongTheCallerWaited) {
  EncodedSet set = jpeg_set(8);
  set.on_read = [](int64_t) { std::this_thread::sleep_for(10ms); };
  for (const int64_t workers : {0, 1}) {
    Loader loader(set, {.image_size = 16, .workers = workers}, {.batch = 4});
    take(loader, 3);
    EXPECT_GT(loader.counters().wait_seconds, 0.1) << workers;
  }
  set.on_read = nullptr;
  Loader loader(set, {.image_size = 16, .workers = 1, .slots = 4}, {.batch = 4});
  std::this_thread::sleep_for(500ms);  // the ring is full now
  take(loader, 3);
  EXPECT_LT(loader.counters().wait_seconds, 0.1);
}

TEST(Loader, WorkersRunAtLowerPriority) {
  const int own = getpriority(PRIO_PROCESS, 0);
  if (own >= 19) GTEST_SKIP() << "this process runs at the lowest priority already";
  EncodedSet set = jpeg_set(4);
  std::atomic<int> seen = -100;
  set.on_read = [&](int64_t) { seen = getpriority(PRIO_PROCESS, 0); };
  take(set, {.image_size = 16}, {.batch = 4}, 1, 1);
  EXPECT_GT(seen, own);
  take(set, {.image_size = 16}, {.batch = 4}, 0, 1);
  EXPECT_EQ(seen, own);
  EXPECT_EQ(getpriority(PRIO_PROCESS, 0), own);
}

TEST(Loader, GatheringInTheCallingThreadAllocatesNothing) {
  const RawSet set(600, 28, 1);
  const DataOptions data{.image_size = 28,
                         .image_channels = 1,
                         .binarize = 127,
                         .augment = {.random_crop = false, .flip = false},
                         .workers = 0};
  Loader loader(set, data, {.batch = 60});
  Batch batch;
  loader.next(batch);
  const AllocationCount allocations;
  for (int i = 0; i < 35; ++i) loader.next(batch);  // new epochs too
  EXPECT_EQ(allocations.own(), 0);
}

TEST(Loader, ReadsTinyImageNet) {
  REQUIRE_REAL_DATA("tiny-imagenet/val.tar");
  const DataOptions data{.kind = DatasetKind::kTar,
                         .train = {"tiny-imagenet/train-00.tar"},
                         .validation = {"tiny-imagenet/val.tar"},
                         .classes = "tiny-imagenet/synsets.txt",
                         .classes_limit = 10,
                         .image_size = 56,
                         .resize_shorter = 64};
  const auto train = open_dataset(data, Split::kTrain), validation = open_dataset(data, Split::kValidation);
  const LoaderOptions options{.batch = 32, .seed = 1};
  const auto batches = take(*train, data, options, 2, 4);
  EXPECT_TRUE(batches == take(*train, data, options, 0, 4));
  std::set<int32_t> labels;
  double sum = 0;
  for (const auto& batch : batches) {
    labels.insert(batch.labels.begin(), batch.labels.end());
    for (const uint8_t pixel : batch.images) sum += pixel;
  }
  EXPECT_EQ(labels.size(), 10U);
  EXPECT_NEAR(sum / (4 * 32 * 56 * 56 * 3), 115, 30);
  int64_t images = 0;
  for (const auto& batch : take(*validation, data, {.batch = 32, .split = Split::kValidation}, 1, 100)) {
    images += batch.valid;
  }
  EXPECT_EQ(images, 500);
}

}  // namespace
}  // namespace bn
