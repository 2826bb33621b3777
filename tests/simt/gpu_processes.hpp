// Several processes with a GPU each: threads that take turns at simulated GPUs, and exchange by a double of NCCL.
#pragma once

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "bn/config.hpp"
#include "bn/run_log.hpp"
#include "bn/trainer.hpp"
#include "cuda/backend.hpp"
#include "simt/nccl_double.hpp"
#include "simt/simulator/turn.hpp"
#include "support/shapes_experiment.hpp"
#include "support/temporary_folder.hpp"
#include "support/thread_group.hpp"

namespace bn::test {

// What they train: the parts' statistics differ, the dropout too; 7 steps an epoch.
inline const std::string kGpuExperiment = R"(model:
  network: {kind: mlp, image_size: 16, image_channels: 1, hidden: [12, 9]}
  classes: 10
  normalization: batch
  dropout: 0.25
)" + shapes_data(170, 23) + R"(train:
  batch: 6
  parts: 4
  steps: 8
  learning_rate: {initial: 0.1}
  l2: 0.001
  average: polyak
  log_every: 1
  evaluate_every: 4
  evaluate_batch: 7
  checkpoint_every: 4
device: cuda
threads: 1
)";

class GpuProcesses : public testing::Test {
 protected:
  void SetUp() override { simt::machine().devices = kGpus; }
  void TearDown() override {
    EXPECT_EQ(simt::nccl_double().communicators, 0) << "each is destroyed, and once";
    simt::machine() = {};
    simt::nccl_double() = {};
    cudaSetDevice(0);
  }

  // Runs work(group) in each process when it is its turn.
  static void run(int64_t processes, const std::function<void(Group&)>& work) {
    ThreadGroup(processes, simt::away_from_turn).run([&](Group& group) {
      const simt::Turn turn;
      work(group);
    });
  }

  // A GPU for each: the threads are on hosts of their own, but on one machine.
  static CudaOptions options_of(const Group& group) { return {.device = group.place().rank}; }

  static Config config_with(const std::map<std::string, std::string>& changes = {}) {
    std::string text = kGpuExperiment;
    for (const auto& [from, to] : changes) text.replace(text.find(from), from.size(), to);
    Config config = parse_config(text, "experiment.yaml");
    config.data.workers = 1;
    return config;
  }

  TrainResult train_by(int64_t processes, const std::string& name, const Config& config,
                       const TrainRequest& request = {}) const {
    TrainResult result;
    run(processes, [&](Group& group) {
      cuda::CudaBackend backend(options_of(group));
      std::optional<RunFolder> folder;
      in_first(group, [&] { folder.emplace(RunFolder::create(root_ / name, to_yaml(config), request.resume)); });
      if (!folder) folder.emplace(root_ / name);
      TrainRequest own = request;
      own.quiet = true;
      own.group = &group;
      const TrainResult mine = train(config, backend, *folder, own);
      if (group.is_first()) result = mine;
    });
    return result;
  }

  std::string checkpoint(const std::string& run_name, int64_t step) const {
    return read_bytes(RunFolder(root_ / run_name).checkpoint_path(step));
  }

  std::vector<std::string> curve(const std::string& run_name) const {
    std::vector<std::string> points;
    for (const LogRecord& record : read_log(RunFolder(root_ / run_name).log_path())) {
      if (record.event != "train" && record.event != "evaluate") continue;
      points.push_back(fmt::format("{} {} {} {} {}", record.event, record.step, record.loss.value_or(-1),
                                   record.train_top1.value_or(-1), record.validation_loss.value_or(-1)));
    }
    return points;
  }

  static constexpr int kGpus = 4;
  TemporaryFolder root_;
};

}  // namespace bn::test
