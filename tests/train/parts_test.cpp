// Training in parts: its bits do not depend on how many processes share the parts. The processes are threads here.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cmath>
#include <map>

#include "bn/cpu_backend.hpp"
#include "bn/error.hpp"
#include "bn/models.hpp"
#include "bn/run_log.hpp"
#include "bn/trainer.hpp"
#include "support/error_message.hpp"
#include "support/logged_losses.hpp"
#include "support/shapes_experiment.hpp"
#include "support/temporary_folder.hpp"
#include "support/thread_group.hpp"

namespace bn {
namespace {

using test::error_message;
using test::TemporaryFolder;
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
class FaultyGroup final : public Group {
 public:
  FaultyGroup(Group& group, int64_t sums) : group_(group), sums_(sums) {}
  const Place& place() const override { return group_.place(); }
  void sum(std::span<float> values) override {
    group_.sum(values);
    if (--sums_ == 0 && place().rank == 1) values[values.size() / 2] += 1e-6F;
  }
  void gather(std::span<const double> mine, std::span<double> all) override { group_.gather(mine, all); }
  std::vector<std::string> gather(const std::string& mine) override { return group_.gather(mine); }
  void broadcast(std::span<std::byte> bytes) override { group_.broadcast(bytes); }
  void wait_at_most(std::chrono::seconds patience) override { group_.wait_at_most(patience); }
  void watch(const std::function<void()>& wait) override { group_.watch(wait); }
  void abort(ExitCode exit_code) override { group_.abort(exit_code); }

 private:
  Group& group_;
  int64_t sums_;
};

class Parts : public testing::Test {
 protected:
  static Config config_with(const std::map<std::string, std::string>& changes = {}) {
    std::string text = kPartedExperiment;
    for (const auto& [from, to] : changes) text.replace(text.find(from), from.size(), to);
    Config config = parse_config(text, "experiment.yaml");
    config.data.workers = 1;
    return config;
  }

  TrainResult train_in(Group& group, const std::string& name, const Config& config, TrainRequest request) const {
    const std::unique_ptr<Backend> backend = make_cpu_backend({.threads = 1});
    std::optional<RunFolder> folder;
    in_first(group, [&] { folder.emplace(RunFolder::create(root_ / name, to_yaml(config), request.resume)); });
    if (!folder) folder.emplace(root_ / name);
    request.quiet = true;
    request.group = &group;
    return train(config, *backend, *folder, request);
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

  std::string checkpoint(const std::string& run, int64_t step) const {
    return test::read_bytes(RunFolder(root_ / run).checkpoint_path(step));
  }

  std::vector<std::string> curve(const std::string& run) const {
    std::vector<std::string> points;
    for (const LogRecord& record : read_log(RunFolder(root_ / run).log_path())) {
      if (record.event != "train" && record.event != "evaluate") continue;
      points.push_back(fmt::format("{} {} {} {} {} {}", record.event, record.step, record.loss.value_or(-1),
                                   record.train_top1.value_or(-1), record.validation_top1.value_or(-1),
                                   record.validation_loss.value_or(-1)));
    }
    return points;
  }

  TemporaryFolder root_;
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
  const TrainResult one = train_by(1, "one", config);
  EXPECT_EQ(one.outcome, TrainOutcome::kDiverged);
  const TrainResult four = train_by(4, "four", config);
  EXPECT_EQ(four.outcome, TrainOutcome::kDiverged);
  EXPECT_EQ(four.progress.step, one.progress.step);
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
class SynchronisedParts : public Parts {
 protected:
  // The names of the tensors that a step changes, with their values.
  std::map<std::string, std::vector<float>> tensors(const std::string& run, const Config& config, int64_t step) const {
    const std::unique_ptr<Backend> backend = make_cpu_backend({.threads = 1});
    const Net net = build_network(config.model);
    Parameters parameters(net, *backend, config.train.l2_scope, true);
    load_checkpoint(RunFolder(root_ / run).checkpoint_path(step), parameters);
    std::map<std::string, std::vector<float>> all;
    for (const NamedTensor& named : parameters.named_tensors()) {
      const auto* values = named.tensor.as<float>();
      all[named.name].assign(values, values + named.tensor.shape.elements());
    }
    return all;
  }
};

TEST_F(SynchronisedParts, MakeTheStepOfOneBatch) {
  const Config parts = config_with({{"batch: 6\n  parts: 4", "batch: 12\n  parts: 2"},
                                    {"dropout: 0.25\n", "dropout: 0.25\nbatch_norm: {synchronised_parts: 2}\n"},
                                    {"checkpoint_every: 5", "checkpoint_every: 1\n  keep_checkpoints: 20"}});
  const Config whole = config_with(
      {{"batch: 6\n  parts: 4", "batch: 24"}, {"checkpoint_every: 5", "checkpoint_every: 1\n  keep_checkpoints: 20"}});
  train_by(2, "parts", parts);
  train_by(1, "whole", whole);
  for (const auto& [name, values] : tensors("whole", whole, 1)) {
    // Velocities are the gradients times the rate.
    const double tolerance = name.starts_with("velocity/") ? 1e-5 : 1e-6;
    const std::vector<float> others = tensors("parts", parts, 1).at(name);
    double largest = 0, worst = 0;
    for (size_t i = 0; i < values.size(); ++i) {
      largest = std::max(largest, std::abs(static_cast<double>(values[i])));
      worst = std::max(worst, std::abs(static_cast<double>(values[i]) - static_cast<double>(others[i])));
    }
    EXPECT_LE(worst, tolerance * largest) << name;
  }
  const std::map<int64_t, double> a = logged_losses(RunFolder(root_ / "parts").log_path());
  const std::map<int64_t, double> b = logged_losses(RunFolder(root_ / "whole").log_path());
  EXPECT_NEAR(a.at(1), b.at(1), 1e-6);
  EXPECT_NEAR(a.at(10), b.at(10), 1e-3);
}

TEST_F(SynchronisedParts, NeedAProcessForEachPart) {
  const Config config = config_with({{"dropout: 0.25\n", "dropout: 0.25\nbatch_norm: {synchronised_parts: 2}\n"}});
  const std::string message = error_message<ConfigError>([&] { train_in(*alone(), "run", config, {}); });
  EXPECT_CONTAINS(message, "batch_norm.synchronised_parts: 2 needs a process for each part");
  EXPECT_CONTAINS(message, "start 4 processes (mpirun -n 4)");
}

}  // namespace
}  // namespace bn
