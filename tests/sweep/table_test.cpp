#include "sweep/table.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <utility>

#include "bn/error.hpp"
#include "support/error_message.hpp"
#include "support/temporary_folder.hpp"

namespace bn {
namespace {

using testing::HasSubstr;
using testing::Not;

// Four runs of 100 steps: done, running at half a second a step, waiting, and one that stands for the first.
class SweepTable : public testing::Test {
 protected:
  SweepTable() {
    for (const char* arm : {"plain", "batch_norm", "other", "same"}) sweep_.runs.push_back({.arm = arm});
    sweep_.name = "tiny";
    sweep_.runs[0].state = RunState::kFinished;
    sweep_.runs[1].state = RunState::kRunning;
    sweep_.runs[3].same_as = 0;
    progress_[0] = {.last_event = "end", .step = 100, .top1 = 0.25, .best_top1 = 0.375};
    progress_[1] = {.last_event = "train", .step = 40, .top1 = 0.125, .best_top1 = 0.125, .seconds_per_step = 0.5};
  }

  std::string table(TableScope scope, size_t width = 120) const {
    return render_table({.sweep = sweep_, .progress = progress_, .sizes = sizes_, .jobs = 2}, scope, width);
  }

  Sweep sweep_;
  std::vector<RunProgress> progress_ = std::vector<RunProgress>(4);
  std::vector<RunSize> sizes_ = std::vector<RunSize>(4, RunSize{.steps = 100, .steps_per_epoch = 10});
};

TEST_F(SweepTable, ShowsStepAccuracyAndTimeLeft) {
  const std::string text = table(TableScope::kAll);
  EXPECT_THAT(text, HasSubstr("arm         seed  state          step    top-1     best  time left\n"));
  EXPECT_THAT(text, HasSubstr("plain          1  finished    100/100  25.00 %  37.50 %          -\n"));
  EXPECT_THAT(text, HasSubstr("batch_norm     1  running      40/100  12.50 %  12.50 %       0:30\n"));
  EXPECT_THAT(text, HasSubstr("other          1  pending       0/100        -        -          -\n"));
  EXPECT_THAT(text, HasSubstr("same           1  (as above)"));
  // 60 steps of the one, 100 as long of the other, two at a time.
  EXPECT_THAT(text, HasSubstr("tiny: 1 pending, 1 running, 1 finished; about 0:40 left\n"));
}

TEST_F(SweepTable, ShowsOnlyWhatRunsWhereThereIsNoRoom) {
  const std::string text = table(TableScope::kRunning);
  EXPECT_THAT(text, HasSubstr("batch_norm "));
  EXPECT_THAT(text, Not(HasSubstr("plain ")));
}

size_t longest_line(const std::string& text) {
  size_t longest = 0;
  for (size_t begin = 0, end = 0; (end = text.find('\n', begin)) != std::string::npos; begin = end + 1) {
    longest = std::max(longest, end - begin);
  }
  return longest;
}

TEST_F(SweepTable, FitsATerminalOfAnyWidth) {
  sweep_.runs[0].arm = "an_arm_with_a_name_that_is_longer_than_others";
  for (size_t width = 20; width <= 130; ++width) {
    const std::string text = table(TableScope::kAll, width);
    EXPECT_LE(longest_line(text), width) << text;
    EXPECT_EQ(rows_taken(text, width), std::ranges::count(text, '\n')) << text;
  }
  EXPECT_THAT(table(TableScope::kAll, 80), HasSubstr("an_arm_with_a_name_that~     1  finished    100/100  25.00 %"));
  EXPECT_THAT(table(TableScope::kAll, 40), HasSubstr("an_arm_with~     1  finished    37.50 %\n"));
}

// The window was made narrower, and the terminal has broken the lines.
TEST_F(SweepTable, CountsTheRowsOfBrokenLines) {
  EXPECT_EQ(rows_taken("12345\n123456\n\n", 5), 1 + 2 + 1);
  EXPECT_EQ(rows_taken("\xC3\xA4\xC3\xA4\xC3\xA4\n", 3), 1);
}

TEST_F(SweepTable, AControlCharacterOfANameIsNotSentToTheTerminal) {
  sweep_.runs[0].arm = "a\033[2Jb";
  EXPECT_THAT(table(TableScope::kAll), HasSubstr("a?[2Jb"));
}

TEST(RunSize, CountsStepsAndEvaluations) {
  TrainOptions train{.batch = 30, .epochs = 2.5};
  const RunSize by_epochs = size_of_run(train, 1000, 50);
  EXPECT_EQ(by_epochs.steps_per_epoch, 33);
  EXPECT_EQ(by_epochs.steps, 83);  // 82.5
  EXPECT_EQ(by_epochs.evaluations, 3);
  train.epochs = 0;
  train.steps = 100;
  train.evaluate_every = 50;
  EXPECT_EQ(size_of_run(train, 1000, 50).evaluations, 2);
  EXPECT_NEAR(size_of_run(train, 1000, 50).epochs(), 100.0 / 33, 1e-12);
  EXPECT_EQ(test::error_message<DataError>([&] { size_of_run(train, 29, 50); }),
            "a batch of 30 images is larger than the training set of 29");
}

// A sweep may vary how a set is split; what changes no image is counted once.
TEST(DataSizes, CountTheImagesOfEachSplit) {
  const test::TemporaryFolder folder;
  for (int i = 0; i < 40; ++i) {
    const std::string of_class = folder / fmt::format("{}", i % 2);
    std::filesystem::create_directories(of_class);
    test::write_bytes(fmt::format("{}/{}.png", of_class, i), fmt::format("image {}", i));
  }
  Config config;
  config.data = {.kind = DatasetKind::kFolder, .train = {folder.path()}};
  config.train = {.batch = 1, .epochs = 1};
  DataSizes sizes;
  for (const auto& [share, kept] : {std::pair(0.1, 4), std::pair(0.75, 30), std::pair(0.5, 20)}) {
    config.data.split.validation = share;
    EXPECT_EQ(sizes.of(config).validation_images, kept);
    EXPECT_EQ(sizes.of(config).steps, 40 - kept);
  }
  std::filesystem::remove_all(folder.path());
  config.data.mean = {0.5};
  config.data.shuffle = Shuffle::kNone;
  EXPECT_EQ(sizes.of(config).steps, 20);
}

}  // namespace
}  // namespace bn
