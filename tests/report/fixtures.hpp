// Run folders as training leaves them, without the training.
#pragma once

#include <fmt/format.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <random>
#include <string>
#include <vector>

#include "bn/config.hpp"
#include "bn/run_log.hpp"
#include "support/shapes_experiment.hpp"
#include "support/temporary_folder.hpp"

namespace bn::test {

inline const std::string kReportedConfig =
    small_model("20", "none") + shapes_data(300, 70) + R"(train: {batch: 20, steps: 400, learning_rate: {initial: 0.1}}
)";

struct WrittenRun {
  uint64_t seed = 1;
  Normalization normalization = Normalization::kNone;
  Activation activation = Activation::kRelu;
  double learning_rate = 0.1;
  std::vector<double> accuracies{};  // those of steps 100, 200, ...
  std::string end = "end";           // the last event
  int64_t end_step = 0;              // 0 = that of the last accuracy
  std::string probed{};              // op
};

inline Config config_of(const WrittenRun& run) {
  Config config = parse_config(kReportedConfig, "test");
  config.model.normalization = run.normalization;
  config.model.activation = run.activation;
  config.train.learning_rate.initial = run.learning_rate;
  config.train.seed = run.seed;
  config.train.probe.op = run.probed;
  return config;
}

inline void write_run(const std::string& folder, const WrittenRun& run, const Config& config) {
  std::filesystem::create_directories(folder);
  write_bytes(folder + "/config.yaml", to_yaml(config));
  write_bytes(folder + "/git.txt", "0.1.0-1-gabcdef0\n");
  RunLog log(folder + "/log.jsonl", 0);
  log.write({.event = "start"});
  int64_t step = 0;
  for (const double accuracy : run.accuracies) {
    step += 100;
    log.write({.event = "train",
               .step = step,
               .loss = 1 - accuracy,
               .learning_rate = run.learning_rate,
               .images_per_second = 499.7 + 0.1 * static_cast<double>(run.seed)});
    if (!run.probed.empty()) log.write({.event = "probe", .step = step, .percentiles = {-1, 0.5, 2}});
    log.write({.event = "evaluate", .step = step, .validation_top1 = accuracy});
  }
  log.write({.event = run.end, .step = run.end_step > 0 ? run.end_step : step, .seconds = 3725});
}
inline void write_run(const std::string& folder, const WrittenRun& run) { write_run(folder, run, config_of(run)); }

struct ListedRun {
  std::string arm{};
  uint64_t seed = 1;
  std::string folder{};
  std::string message{};
};
inline void write_sweep(const std::string& folder, const std::string& baseline, const std::vector<ListedRun>& runs) {
  nlohmann::json list = nlohmann::json::array();
  for (const ListedRun& run : runs) {
    list.push_back({{"arm", run.arm},
                    {"config", "x.yaml"},
                    {"seed", run.seed},
                    {"folder", run.folder},
                    {"outcome", run.message.empty() ? "?" : "crashed"}});
    if (!run.message.empty()) list.back()["message"] = run.message;
  }
  write_bytes(folder + "/sweep.json",
              nlohmann::json{{"name", "a study"}, {"baseline", baseline}, {"runs", list}}.dump());
}

// plain, bn (same rate), bn_x5 and bn_x30 with three seeds: the paper's findings, in small.
inline void write_study(const std::string& folder) {
  struct ArmOf {
    const char* name;
    WrittenRun run;
  };
  const std::vector<ArmOf> arms = {
      {"plain", {.accuracies = {0.30, 0.40, 0.48, 0.50}}},
      {"bn", {.normalization = Normalization::kBatch, .accuracies = {0.40, 0.52, 0.53, 0.53}}},
      {"bn_x5", {.normalization = Normalization::kBatch, .learning_rate = 0.5, .accuracies = {0.54, 0.55, 0.55, 0.56}}},
      {"bn_x30", {.normalization = Normalization::kBatch, .learning_rate = 3, .accuracies = {0.45, 0.58, 0.60, 0.61}}},
      {"plain_x5", {.learning_rate = 0.5, .end = "diverged", .end_step = 40}},
      {"plain_sigmoid", {.activation = Activation::kSigmoid, .accuracies = {0.10, 0.11, 0.10, 0.11}}},
      {"bn_sigmoid",
       {.normalization = Normalization::kBatch,
        .activation = Activation::kSigmoid,
        .accuracies = {0.3, 0.4, 0.44, 0.45}}},
  };
  std::vector<ListedRun> list;
  std::mt19937_64 random(1);
  for (const ArmOf& arm : arms) {
    for (uint64_t seed = 1; seed <= 3; ++seed) {
      WrittenRun run = arm.run;
      run.seed = seed;
      // Every accuracy gets its seed's luck, and a little that belongs to the run alone.
      const double own = 0.001 * static_cast<double>(random() % 4);
      for (double& accuracy : run.accuracies) accuracy += accuracy < 0.2 ? 0 : 0.004 * static_cast<double>(seed) + own;
      if (run.end == "diverged") run.end_step += static_cast<int64_t>(seed);
      list.push_back({.arm = arm.name, .seed = seed, .folder = fmt::format("{}/seed_{}", arm.name, seed)});
      write_run(folder + "/" + list.back().folder, run);
    }
  }
  write_sweep(folder, "plain", list);
}

}  // namespace bn::test
