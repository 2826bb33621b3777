// Training is asked to stop at each moment at which it can, between two steps or two batches of an evaluation.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "bn/cpu_backend.hpp"
#include "bn/run_log.hpp"
#include "bn/trainer.hpp"
#include "support/shapes_experiment.hpp"
#include "support/temporary_folder.hpp"

namespace bn {
namespace {

const std::string kInterruptedExperiment = test::small_model("6") + test::shapes_data(20, 20) + R"(  workers: 0
train:
  batch: 10
  steps: 6
  learning_rate: {initial: 0.1}
  statistics_decay: 0.2
  log_every: 1
  evaluate_every: 2
  evaluate_batch: 5
  checkpoint_every: 3
)";

class Interrupted : public testing::TestWithParam<const char*> {
 protected:
  Interrupted()
      : config_(parse_config(std::string(kInterruptedExperiment) + GetParam(), "test")),
        backend_(make_cpu_backend({.threads = 1})) {}

  TrainResult train_into(const std::string& run, std::function<bool()> stop) const {
    const RunFolder folder = RunFolder::create(root_ / run, to_yaml(config_), true);
    return train(config_, *backend_, folder, {.resume = true, .quiet = true, .stop = std::move(stop)});
  }
  // The last checkpoint, the best one, and what was logged of each step.
  std::vector<std::string> result(const std::string& run) const {
    const RunFolder folder(root_ / run);
    std::vector<std::string> all{test::read_bytes(folder.checkpoint_path(6)), test::read_bytes(folder.best_path())};
    for (const LogRecord& record : read_log(folder.log_path())) {
      if (record.event != "train" && record.event != "evaluate") continue;
      all.push_back(fmt::format("{} {} {} {}", record.event, record.step, record.loss.value_or(-1),
                                record.validation_loss.value_or(-1)));
    }
    return all;
  }

  test::TemporaryFolder root_;
  Config config_;
  std::unique_ptr<Backend> backend_;
};

TEST_P(Interrupted, AtEachMomentThenResumedGivesTheSameBits) {
  int64_t questions = 0;
  EXPECT_EQ(train_into("reference", [&] { return ++questions < 0; }).outcome, TrainOutcome::kFinished);
  EXPECT_GE(questions, 6 + 3 * 4) << "evaluations are not asked";
  for (int64_t moment = 1; moment <= questions; ++moment) {
    const std::string run = fmt::format("run_{}", moment);
    int64_t asked = 0;
    ASSERT_EQ(train_into(run, [&] { return ++asked == moment; }).outcome, TrainOutcome::kInterrupted) << moment;
    EXPECT_EQ(asked, moment) << "it went on";
    EXPECT_EQ(read_log(root_ / run + "/log.jsonl").back().event, "interrupted");
    ASSERT_EQ(train_into(run, {}).outcome, TrainOutcome::kFinished);
    EXPECT_TRUE(result(run) == result("reference")) << moment;
  }
}

INSTANTIATE_TEST_SUITE_P(Networks, Interrupted,
                         testing::Values("", "  statistics: population\n  statistics_batches: 2\n",
                                         "  average: polyak\n"));

}  // namespace
}  // namespace bn
