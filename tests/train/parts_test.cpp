// Training in parts: its bits do not depend on how many processes share the parts. The processes are threads here.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <atomic>

#include "bn/error.hpp"
#include "support/error_message.hpp"
#include "support/parted_runs.hpp"
#include "support/shapes_experiment.hpp"
#include "support/thread_group.hpp"

namespace bn {
namespace {

using test::error_message;
using test::ForwardingGroup;
using test::PartedRuns;
using test::ThreadGroup;

// The classes' statistics differ from part to part, the dropout too; 7 steps an epoch.
const std::string kPartedExperiment = R"(model:
  network: {kind: mlp, image_size: 16, image_channels: 1, hidden: [40, 40]}
  classes: 10
  normalization: batch
  dropout: 0.25
)" + test::shapes_data(170, 61) + R"(train:
  batch: 6
  parts: 4
  steps: 20
  learning_rate: {initial: 0.1}
  l2: 0.001
  average: polyak
  log_every: 1
  evaluate_every: 10
  evaluate_batch: 7
  checkpoint_every: 5
threads: 1
)";

// A group that fails in one place, as broken hardware does.
class FaultyGroup final : public ForwardingGroup {
 public:
  FaultyGroup(Group& group, int64_t sums) : ForwardingGroup(group), sums_(sums) {}
  void sum(std::span<float> values) override {
    ForwardingGroup::sum(values);
    if (--sums_ == 0 && place().rank == 1) values[values.size() / 2] += 1e-6F;
  }

 private:
  int64_t sums_;
};

class Parts : public PartedRuns {
 protected:
  Parts() : PartedRuns(kPartedExperiment) {}

  TrainResult train_in(Group& group, const std::string& name, const Config& config, const TrainRequest& request) const {
    return PartedRuns::train_in(group, *make_cpu_backend({.threads = 1}), name, config, request);
  }

  TrainResult train_by(int64_t processes, const std::string& name, const Config& config,
                       const TrainRequest& request = {}) const {
    TrainResult result;
    ThreadGroup(processes).run([&](Group& group) {
      const TrainResult mine = train_in(group, name, config, request);
      if (group.is_first()) result = mine;
    });
    return result;
  }
};

TEST_F(Parts, TheNumberOfProcessesChangesNoBit) {
  for (const DType precision : {DType::kF32, DType::kBf16}) {
    for (const Overlap overlap : {Overlap::kNever, Overlap::kAlways}) {
      Config config = config_with();
      config.precision = precision;
      config.distributed.overlap = overlap;
      const auto name = [&](int64_t processes) {
        return fmt::format("{}{}_{}", name_of(precision), overlap == Overlap::kAlways ? "_overlap" : "", processes);
      };
      train_by(1, name(1), config);
      for (const int64_t processes : {2, 4}) {
        train_by(processes, name(processes), config);
        for (const int64_t step : {15, 20}) {
          EXPECT_TRUE(checkpoint(name(processes), step) == checkpoint(name(1), step)) << name(processes) << " " << step;
        }
        EXPECT_EQ(curve(name(processes)), curve(name(1)));
      }
    }
  }
}

TEST_F(Parts, AreAnotherExperimentThanOneLargeBatch) {
  train_by(1, "parts", config_with());
  train_by(1, "whole", config_with({{"batch: 6\n  parts: 4", "batch: 24"}}));
  EXPECT_NE(curve("parts"), curve("whole"));
}

TEST_F(Parts, AStoppedRunGoesOnWithAnotherNumberOfProcesses) {
  const Config config = config_with();
  train_by(1, "reference", config);
  std::atomic<int> asked = 0;
  // Only one of the four is asked, once it has made some steps.
  const TrainResult stopped = train_by(4, "run", config, {.stop = [&] { return ++asked == 30; }});
  EXPECT_EQ(stopped.outcome, TrainOutcome::kInterrupted);
  EXPECT_LT(stopped.progress.step, 12);
  EXPECT_EQ(RunFolder(root_ / "run").checkpoint_steps().back(), stopped.progress.step);
  EXPECT_EQ(train_by(2, "run", config, {.resume = true}).outcome, TrainOutcome::kFinished);
  EXPECT_TRUE(checkpoint("run", 20) == checkpoint("reference", 20));
  EXPECT_EQ(curve("run"), curve("reference"));
}

TEST_F(Parts, PopulationStatisticsAreTheSameInAllProcesses) {
  const Config config = config_with({{"average: polyak", "statistics: population\n  statistics_batches: 5"}});
  train_by(1, "one", config);
  train_by(2, "two", config);
  EXPECT_TRUE(checkpoint("one", 20) == checkpoint("two", 20));
}

TEST_F(Parts, AWrongBitStopsTheRunAtTheNextSave) {
  const std::string message = error_message<AgreedError>([&] {
    ThreadGroup(2).run([&](Group& group) {
      constexpr int64_t kSum = 22;  // three a step: the gradients of the eighth
      FaultyGroup faulty(group, kSum);
      Config config = config_with();
      config.distributed.overlap = Overlap::kNever;
      train_in(faulty, "run", config, {});
    });
  });
  EXPECT_CONTAINS(message, "after step 10 the parameters of process 1 on host1 are not those of process 0 on host0");
  EXPECT_EQ(RunFolder(root_ / "run").checkpoint_steps(), std::vector<int64_t>{5});
}

TEST_F(Parts, AllDivergeAtTheSameStep) {
  const Config config = config_with({{"initial: 0.1", "initial: 1e30"}});
  expect_divergence_at_the_same_step(
      [&](int64_t processes) { return train_by(processes, "by_" + std::to_string(processes), config); });
}

TEST_F(Parts, OtherImagesInOneProcessAreRefused) {
  const std::string message = error_message<AgreedError>([&] {
    ThreadGroup(2).run([&](Group& group) {
      Config config = config_with();
      if (!group.is_first()) config.data.shapes.train_images = 169;
      train_in(group, "run", config, {});
    });
  });
  EXPECT_CONTAINS(message, "the processes must agree on the training images, but process 0 on host0 has 170 images");
}

TEST_F(Parts, MoreProcessesThanPartsAreRefused) {
  const std::string message = error_message<AgreedError>([&] {
    train_by(2, "run", config_with({{"parts: 4", "parts: 1"}}));
  });
  EXPECT_CONTAINS(message, "2 processes cannot share train.parts: 1; start 1, or set train.parts");
}

// All parts share their statistics: a step is that of one batch, but for the order of the sums.
TEST_F(Parts, WithSharedStatisticsMakeTheStepOfOneBatch) {
  const Config parts = config_with({{"batch: 6\n  parts: 4", "batch: 12\n  parts: 2"},
                                    {"dropout: 0.25\n", "dropout: 0.25\nbatch_norm: {synchronised_parts: 2}\n"},
                                    {"checkpoint_every: 5", "checkpoint_every: 1\n  keep_checkpoints: 20"}});
  const Config whole = config_with(
      {{"batch: 6\n  parts: 4", "batch: 24"}, {"checkpoint_every: 5", "checkpoint_every: 1\n  keep_checkpoints: 20"}});
  train_by(2, "parts", parts);
  train_by(1, "whole", whole);
  expect_the_same_steps("whole", whole, "parts", parts, 10);
}

TEST_F(Parts, WithSharedStatisticsNeedAProcessForEach) {
  const Config config = config_with({{"dropout: 0.25\n", "dropout: 0.25\nbatch_norm: {synchronised_parts: 2}\n"}});
  const std::string message = error_message<ConfigError>([&] { train_in(*alone(), "run", config, {}); });
  EXPECT_CONTAINS(message, "batch_norm.synchronised_parts: 2 needs a process for each part");
  EXPECT_CONTAINS(message, "start 4 processes (mpirun -n 4)");
}

}  // namespace
}  // namespace bn
