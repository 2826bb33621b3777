// A setting that the user has probably not meant is told once, in a line when the run starts, and stays in its log.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "bn/error.hpp"
#include "bn/run_log.hpp"
#include "cli/program.hpp"
#include "support/temporary_folder.hpp"
#include "system/usable_cores.hpp"

namespace bn::test {
namespace {

constexpr const char* kWarningsExperiment = R"(
model: {network: {kind: mlp, image_size: 16, image_channels: 1, hidden: [8]}, classes: 10, normalization: batch}
data:
  kind: folder
  train: [set/train]
  validation: [set/validation]
  image_size: 16
  image_channels: 1
  resize_shorter: 0
  mean: [0.5]
  std: [0.25]
train: {batch: 20, steps: 4, learning_rate: {initial: 0.1}, statistics_decay: 0.2, evaluate_every: 4, evaluate_batch: 20}
threads: 1
)";

class Warnings : public testing::Test {
 protected:
  Warnings() {
    write_bytes(root_ / "experiment.yaml", kWarningsExperiment);
    write_shapes(root_ / "set", 16, 60, 20);
  }

  // What the program tells as it trains.
  std::string train(const Words& overrides, const Words& more = {}) const {
    const Words words{"train", root_ / "experiment.yaml", "--out", root_ / "run", "--quiet"};
    return error_of(0, joined(joined(words, test::set(overrides)), more),
                    {.environment = {{"BN_DATA_ROOT", root_.path()}}});
  }
  std::string in_log(const std::string& before_each) const {
    std::string text;
    for (const LogRecord& record : read_log(root_ / "run/log.jsonl")) {
      if (record.event == "warning") text += before_each + record.message + "\n";
    }
    return text;
  }
  // Those of the log; the terminal has the same ones.
  std::string warnings_of(const Words& overrides) const {
    std::filesystem::remove_all(root_ / "run");
    const std::string on_terminal = train(overrides);
    EXPECT_EQ(on_terminal, in_log("warning: "));
    return in_log("");
  }
  void pack_a_tar(const std::string& name, const std::string& folder) const {
    EXPECT_EQ(run_program({"/bin/tar", "--sort=name", "-C", root_ / folder, "-cf", root_ / name, "."}).exit_code, 0);
  }

  TemporaryFolder root_;
};

TEST_F(Warnings, NoneWhereNothingIsOdd) { EXPECT_EQ(warnings_of({}), ""); }

TEST_F(Warnings, ValidationByTrainingImages) {
  const std::string image = root_ / "set/train/arrow/000000.png";
  EXPECT_EQ(
      warnings_of({"data.validation=[set/train]"}),
      fmt::format("60 of the 60 validation images are training images too (the same bytes), so validation says little "
                  "about new images; the first: {} is {}\n",
                  image, image));
}

TEST_F(Warnings, AnImageTwice) {
  const std::string image = root_ / "set/train/arrow/000000.png", copy = root_ / "set/train/crescent/copy.png";
  std::filesystem::copy_file(image, copy);
  EXPECT_EQ(
      warnings_of({}),
      fmt::format("1 of the 61 training images repeats an earlier one (the same bytes), 1 of them in another class; "
                  "the first: {} is {}\n",
                  copy, image));
}

TEST_F(Warnings, ATarSortedByClass) {
  pack_a_tar("train.tar", "set/train");
  pack_a_tar("validation.tar", "set/validation");
  const Words tars{"data.kind=tar", "data.train=[train.tar]", "data.validation=[validation.tar]"};
  for (const char* shuffle : {"none", "shards"}) {
    EXPECT_EQ(warnings_of(joined(tars, {fmt::format("data.shuffle={}", shuffle)})),
              "the training images come in runs of one class: a batch of 20 holds 4.0 classes on average, where a "
              "shuffled one would hold 8.8; data.shuffle: full mixes them\n");
  }
  EXPECT_EQ(warnings_of(tars), "");
}

TEST_F(Warnings, OutputsWithoutAClass) {
  EXPECT_EQ(warnings_of({"model.classes=12"}),
            "model.classes is 12, but the data have only 10 classes: no image is of the others\n");
}

TEST_F(Warnings, MovingAveragesThatTrail) {
  const std::string warning =
      "validation before step 30 is by moving averages that trail behind the weights (statistics_decay 0.9), so it may "
      "be far too low; `bninception evaluate RUN --statistics 'population(100)'` does not use them\n";
  EXPECT_EQ(warnings_of({"train.statistics_decay=0.9", "train.evaluate_every=29"}), warning);
  EXPECT_EQ(warnings_of({"train.statistics_decay=0.9", "train.evaluate_every=30"}), "");
  EXPECT_EQ(warnings_of({"train.statistics_decay=0.9", "model.normalization=none"}), "");
  EXPECT_EQ(warnings_of({"train.statistics=population", "train.statistics_batches=2"}), "");
}

TEST_F(Warnings, AMeanOfPixelsTo255) {
  EXPECT_EQ(warnings_of({"data.mean=[104]"}), "data.mean holds values above 1, but it is of pixels scaled to 0..1\n");
  EXPECT_EQ(warnings_of({"data.mean=[-0.5]", "data.std=[58]"}),
            "data.mean holds values below 0, but it is of pixels scaled to 0..1 and is subtracted from them\n"
            "data.std holds values above 1, but it is of pixels scaled to 0..1\n");
  EXPECT_EQ(warnings_of({"data.mean=[0]", "data.std=[1]"}), "");
}

TEST_F(Warnings, MoreThreadsThanCores) {
  EXPECT_EQ(warnings_of({fmt::format("threads={}", cores_of_machine())}), "");
  const std::string warning = warnings_of({fmt::format("threads={}", cores_of_machine() + 1)});
  EXPECT_EQ(warning.rfind(fmt::format("{} threads share the ", cores_of_machine() + 1), 0), 0U) << warning;
}

TEST_F(Warnings, OverridesThatUndoEachOther) {
  EXPECT_EQ(warnings_of({"train.seed=1", "train.l2=0.1", "train.seed=2"}),
            "of options --set that undo each other the last one counts; in the other order: train.seed: 2 -> 1\n");
  EXPECT_EQ(warnings_of({"train.steps=8", "train.epochs=2"}),
            "of options --set that undo each other the last one counts; in the other order: train.epochs: 2 -> 0, "
            "train.steps: 0 -> 8\n");
  EXPECT_EQ(warnings_of({"train.steps=8", "train.epochs=0", "train.l2=0.1"}), "");
}

TEST_F(Warnings, StandInTheLogOnce) {
  const std::string once = warnings_of({"model.classes=12"});
  EXPECT_EQ(train({"model.classes=12", "train.steps=8"}, {"--resume"}),
            "this run was started with another length: train.steps: 4 -> 8\n");
  EXPECT_EQ(in_log(""), once);
}

}  // namespace
}  // namespace bn::test
