#include <gtest/gtest.h>

#include "bn/loader.hpp"
#include "packing/fixtures.hpp"

namespace bn {
namespace {

using namespace test;  // NOLINT(google-build-using-namespace)

TEST(PackedDataset, NamesItsImages) {
  const TemporaryFolder dir;
  pack_quietly(*made_set(dir, 4), {.out = dir / "out", .shards = 2});
  const auto set = open_dataset(packed_options(dir / "out"), Split::kTrain);
  std::set<std::string> names;
  for (int64_t i = 0; i < 4; ++i) names.insert(set->name(i).substr(set->name(i).find(':') + 1));
  EXPECT_EQ(names, (std::set<std::string>{"a/0.jpg", "a/1.jpg", "b/2.jpg", "b/3.jpg"}));
  EXPECT_TRUE(set->name(0).starts_with("train-00000.tar:"));
  EXPECT_TRUE(set->name(3).starts_with("train-00001.tar:"));
}

TEST(PackedDataset, TakesTheClassesAskedFor) {
  const TemporaryFolder dir;
  pack_quietly(*made_set(dir, 6), {.out = dir / "out", .shards = 2});
  DataOptions options = packed_options(dir / "out");
  options.classes = dir.write("turned.txt", "b the second\na the first\n");
  const auto turned = open_dataset(options, Split::kTrain);
  EXPECT_EQ(turned->class_names(), (std::vector<std::string>{"b", "a"}));
  for (int64_t i = 0; i < 6; ++i) EXPECT_EQ(turned->label(i), turned->name(i).find(":a/") == std::string::npos ? 0 : 1);
  options.classes_limit = 1;
  const auto one = open_dataset(options, Split::kTrain);
  EXPECT_EQ(one->size(), 3);
  EXPECT_EQ(one->shard_sizes().size(), 2U);
  EXPECT_EQ(one->shard_sizes()[0] + one->shard_sizes()[1], 3);
}

TEST(PackedDataset, AChangedImageIsAnErrorWhenItIsRead) {
  const TemporaryFolder dir;
  pack_quietly(*made_set(dir, 3), {.out = dir / "out", .shards = 1});
  Bytes shard = bytes_of(read_bytes(dir / "out/train-00000.tar"));
  shard[512 + 300] ^= 1;
  dir.write("out/train-00000.tar", shard);
  const auto set = open_dataset(packed_options(dir / "out"), Split::kTrain);
  std::vector<uint8_t> storage;
  EXPECT_EQ(error_message<DataError>([&] { set->read(0, storage); }),
            "the bytes are not those that were packed: the checksum differs");
  EXPECT_NO_THROW(set->read(1, storage));
}

TEST(PackedDataset, SaysWhatIsMissing) {
  const TemporaryFolder dir;
  pack_quietly(*made_set(dir, 4), {.out = dir / "out", .shards = 2});
  const auto message = [&] {
    return error_message<DataError>([&] { open_dataset(packed_options(dir / "out"), Split::kTrain); });
  };
  EXPECT_CONTAINS(error_message<DataError>([&] { open_dataset(packed_options(dir / "out"), Split::kValidation); }),
                  "val.index: it is not there; pack the set with bn-data pack");
  const Bytes shard = bytes_of(read_bytes(dir / "out/train-00001.tar"));
  dir.write("out/train-00001.tar", first_part(shard, 0.9));
  EXPECT_CONTAINS(message(), "; bn-data verify tells more");
  std::filesystem::remove(dir / "out/train-00001.tar");
  EXPECT_CONTAINS(message(), "cannot open " + dir / "out/train-00001.tar");
  dir.write("out/train-00001.tar", shard);
  dir.write("out/classes.txt", "a\n");
  EXPECT_CONTAINS(message(), dir / "out/classes.txt" + " is not the one that " + dir / "out/train.index" +
                                 " was packed with, so its labels would mean other classes");
  dir.write("out/classes.txt", "b\na\n");  // the same classes in another order
  EXPECT_CONTAINS(message(), "is not the one that ");
}

TEST(PackedDataset, ShufflesByItsShards) {
  const TemporaryFolder dir;
  pack_quietly(*made_set(dir, 12), {.out = dir / "out", .shards = 3});
  DataOptions options = packed_options(dir / "out");
  options.image_size = 16;
  options.shuffle = Shuffle::kShards;
  const auto set = open_dataset(options, Split::kTrain);
  Loader loader(*set, options, {.batch = 4, .seed = 1});
  std::set<std::multiset<int32_t>> of_shards, of_batches;
  for (int64_t shard = 0; shard < 3; ++shard) {
    std::multiset<int32_t> labels;
    for (int64_t i = 0; i < 4; ++i) labels.insert(set->label(4 * shard + i));
    of_shards.insert(labels);
  }
  Batch batch;
  for (int i = 0; i < 30; ++i) {
    loader.next(batch);
    of_batches.insert(std::multiset<int32_t>(batch.labels, batch.labels + 4));
  }
  EXPECT_EQ(of_batches, of_shards);
}

TEST(PackedDataset, AClassAskedForMustHaveImages) {
  const TemporaryFolder dir;
  pack_quietly(*made_set(dir, 4), {.out = dir / "out", .shards = 2});
  DataOptions options = packed_options(dir / "out");
  options.classes = dir.write("more.txt", "a\nc\n");
  EXPECT_EQ(
      error_message<DataError>([&] { open_dataset(options, Split::kTrain); }),
      "class 'c' (number 2 of the classes file " + dir / "more.txt" + ") has no image in " + dir / "out/train.index");
}

}  // namespace
}  // namespace bn
