// The two programs take images on the disk to a training run.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include "bn/run_log.hpp"
#include "cli/program.hpp"
#include "support/temporary_folder.hpp"

namespace bn::test {
namespace {

using testing::HasSubstr;

constexpr const char* kPackedExperiment = R"(
model: {network: {kind: mlp, image_size: 16, image_channels: 3, hidden: [20]}, classes: 10, normalization: batch}
data:
  kind: packed
  train: [packed]
  validation: [packed]
  image_size: 16
  resize_shorter: 20
  distortion: 0.5
  shuffle: within_shard
train: {batch: 8, steps: 12, learning_rate: {initial: 0.1}, evaluate_batch: 10, log_every: 1}
threads: 1
)";

class PackedSet : public testing::Test {
 protected:
  PackedSet() {
    write_bytes(root_ / "experiment.yaml", kPackedExperiment);
    write_shapes(root_ / "shapes", 24, 40, 20);
    pack("packed", "4");
  }

  void pack(const std::string& out, const std::string& shards, const Words& more = {}) const {
    const ProgramResult result = bn_data(joined({"pack", "folder", "--train", root_ / "shapes/train", "--val",
                                                 root_ / "shapes/validation", "--out", root_ / out, "--shards", shards},
                                                more));
    ASSERT_EQ(result.exit_code, 0) << result.err;
  }
  // What the program says as it ends with this exit code.
  std::string train(int exit_code, const std::string& out, const Words& keys = {}) const {
    return error_of(exit_code,
                    joined({"train", root_ / "experiment.yaml", "--out", root_ / out, "--quiet"}, test::set(keys)),
                    {.environment = {{"BN_DATA_ROOT", root_.path()}}});
  }
  TemporaryFolder root_;
};

TEST_F(PackedSet, TrainsTheSameWithAnyNumberOfWorkers) {
  train(0, "one", {"data.workers=1"});
  train(0, "cached", {"data.workers=3", "data.cache=decoded"});
  const auto losses = [&](const std::string& out) {
    std::vector<double> values;
    for (const LogRecord& record : read_log(root_ / (out + "/log.jsonl"))) {
      if (record.loss) values.push_back(*record.loss);
    }
    return values;
  };
  EXPECT_EQ(losses("one").size(), 12U);
  EXPECT_EQ(losses("one"), losses("cached"));
}

TEST_F(PackedSet, AChangedImageEndsTheRunOrIsPutAside) {
  std::string shard = read_bytes(root_ / "packed/train-00002.tar");
  shard[600] = static_cast<char>(shard[600] ^ 1);
  write_bytes(root_ / "packed/train-00002.tar", shard);
  EXPECT_THAT(train(4, "failed"), HasSubstr("the bytes are not those that were packed: the checksum differs; "
                                            "on_corrupt: skip would go on without it"));
  train(0, "aside", {"data.on_corrupt=quarantine"});
  EXPECT_EQ(names_in(root_ / "aside/quarantine").size(), 2U);  // the image and why
  const std::string log = read_bytes(root_ / "aside/log.jsonl");
  EXPECT_THAT(log, HasSubstr("undecodable images were skipped"));
  EXPECT_THAT(log, HasSubstr(" times in all: train-00002.tar:"));
}

// As many classes in another order, or fewer of them: the labels of the two sets would mean different classes.
TEST_F(PackedSet, AValidationSetOfOtherClassesIsRefused) {
  Words names = lines_of(read_bytes(root_ / "packed/classes.txt"));
  const std::string first = names.front(), second = names[1], last = names.back();
  std::swap(names[0], names[1]);
  const std::string all = fmt::format("{}\n", fmt::join(names, "\n"));
  pack("turned", "1", {"--classes", root_.write("turned.txt", all)});
  names.pop_back();
  std::swap(names[0], names[1]);
  pack("fewer", "1", {"--classes", root_.write("fewer.txt", fmt::format("{}\n", fmt::join(names, "\n")))});
  const std::string differ = "the training and validation sets have different classes: class ";
  EXPECT_THAT(train(4, "refused", {"data.validation=[turned]"}),
              HasSubstr(fmt::format("{}0 is '{}' in the training set and '{}' in the validation set; correct the "
                                    "paths, or name a classes file that lists those to use",
                                    differ, first, second)));
  EXPECT_THAT(train(4, "refused_too", {"data.validation=[fewer]"}),
              HasSubstr(fmt::format("{}9 is '{}' in the training set and none in the validation set", differ, last)));
  train(0, "listed", {"data.validation=[turned]", "data.classes=turned.txt"});
}

TEST_F(PackedSet, OpensMoreShardsThanTheSoftLimitOfFiles) {
  pack("many", "40");
  const ProgramResult result = run_program(
      {"/bin/sh", "-c", "ulimit -S -n 40; exec \"$0\" train \"$1\" --out \"$2\" --set data.train=[many] --quiet",
       BN_PROGRAM, root_ / "experiment.yaml", root_ / "run"},
      {.environment = {{"BN_DATA_ROOT", root_.path()}}});
  EXPECT_EQ(result.exit_code, 0) << result.err;
}

}  // namespace
}  // namespace bn::test
