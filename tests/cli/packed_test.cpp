// The two programs take images on the disk to a training run.
#include <gtest/gtest.h>

#include "bn/run_log.hpp"
#include "cli/program.hpp"
#include "support/temporary_folder.hpp"

namespace bn {
namespace {

using test::bninception;
using test::ProgramResult;
using test::TemporaryFolder;

constexpr const char* kExperiment = R"(
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
    test::write_bytes(root_ / "experiment.yaml", kExperiment);
    run({"shapes", "--out", root_ / "shapes", "--size", "24", "--images", "40", "--validation-images", "20"});
    run({"pack", "folder", "--train", root_ / "shapes/train", "--val", root_ / "shapes/validation", "--out",
         root_ / "packed", "--shards", "4"});
  }

  static void run(const std::vector<std::string>& arguments) {
    const ProgramResult result = test::bn_data(arguments);
    ASSERT_EQ(result.exit_code, 0) << result.err;
  }
  ProgramResult train(const std::string& out, const std::vector<std::string>& more = {}) const {
    std::vector<std::string> arguments{"train", root_ / "experiment.yaml", "--out", root_ / out, "--quiet"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return bninception(arguments, {.environment = {{"BN_DATA_ROOT", root_.path()}}});
  }
  TemporaryFolder root_;
};

TEST_F(PackedSet, TrainsTheSameWithAnyNumberOfWorkers) {
  const ProgramResult one = train("one", {"--set", "data.workers=1"});
  ASSERT_EQ(one.exit_code, 0) << one.err;
  ASSERT_EQ(train("cached", {"--set", "data.workers=3", "--set", "data.cache=decoded"}).exit_code, 0);
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
  std::string shard = test::read_bytes(root_ / "packed/train-00002.tar");
  shard[600] = static_cast<char>(shard[600] ^ 1);
  test::write_bytes(root_ / "packed/train-00002.tar", shard);
  const ProgramResult failed = train("failed");
  EXPECT_EQ(failed.exit_code, 4);
  EXPECT_NE(failed.err.find("the bytes are not those that were packed: the checksum differs; on_corrupt: skip would go "
                            "on without it"),
            std::string::npos)
      << failed.err;
  const ProgramResult aside = train("aside", {"--set", "data.on_corrupt=quarantine"});
  EXPECT_EQ(aside.exit_code, 0) << aside.err;
  EXPECT_EQ(test::names_in(root_ / "aside/quarantine").size(), 2U);  // the image and why
  const std::string log = test::read_bytes(root_ / "aside/log.jsonl");
  EXPECT_NE(log.find("undecodable images were skipped"), std::string::npos);
  EXPECT_NE(log.find(" times in all: train-00002.tar:"), std::string::npos);
}

TEST_F(PackedSet, OpensMoreShardsThanTheSoftLimitOfFiles) {
  run({"pack", "folder", "--train", root_ / "shapes/train", "--val", root_ / "shapes/validation", "--out",
       root_ / "many", "--shards", "40"});
  const ProgramResult result = test::run_program(
      {"/bin/sh", "-c", "ulimit -S -n 40; exec \"$0\" train \"$1\" --out \"$2\" --set data.train=[many] --quiet",
       BN_PROGRAM, root_ / "experiment.yaml", root_ / "run"},
      {.environment = {{"BN_DATA_ROOT", root_.path()}}});
  EXPECT_EQ(result.exit_code, 0) << result.err;
}

}  // namespace
}  // namespace bn
