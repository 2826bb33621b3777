// The sweep files under experiments/.
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <map>
#include <regex>
#include <set>

#include "bn/sweep.hpp"
#include "support/temporary_folder.hpp"

namespace bn {
namespace {

const std::string kExperiments = BN_SOURCE_DIR "/experiments/";

std::set<std::string> arms_of(const Sweep& sweep) {
  std::set<std::string> arms;
  for (const SweepRun& run : sweep.runs) arms.insert(run.arm);
  return arms;
}

Sweep load(const std::string& file) { return load_sweep(kExperiments + file); }

Config config_of(const Sweep& sweep, const std::string& arm) {
  for (const SweepRun& run : sweep.runs) {
    if (run.arm == arm) return run.config;
  }
  ADD_FAILURE() << sweep.path << " has no arm " << arm;
  return {};
}

TEST(ExperimentSweeps, Figure2HasSevenNetworksAndFiveSeeds) {
  const Sweep sweep = load("figure2_tiny_imagenet/sweep.yaml");
  EXPECT_EQ(arms_of(sweep), (std::set<std::string>{"inception", "bn_baseline", "bn_x5", "bn_x30", "bn_x5_sigmoid",
                                                   "inception_x5", "inception_sigmoid"}));
  EXPECT_EQ(sweep.runs.size(), 35U);
  EXPECT_EQ(sweep.baseline, "inception");
  for (const SweepRun& run : sweep.runs) {
    EXPECT_GE(run.config.train.epochs, 15);
    EXPECT_EQ(run.config.train.batch, 32);
  }
}

TEST(ExperimentSweeps, TheLearningRateIsSearchedAroundThePapers) {
  const Sweep sweep = load("figure2_tiny_imagenet/learning_rate_search.yaml");
  EXPECT_EQ(sweep.baseline, "inception-learning_rate.initial=0.0015");
  for (const SweepRun& run : sweep.runs) EXPECT_EQ(run.config.model.normalization, Normalization::kNone);
}

// Paper: sec. 4.2.1. Taking a change back from BN-x5 gives what the other six changes alone give.
TEST(ExperimentSweeps, TheAblationsTurnEachOfSevenChanges) {
  const Sweep first = load("ablation_tiny_imagenet/sweep.yaml");
  const Sweep left_out = load("figure2_fair/one_change/leave_one_out.yaml");
  const Sweep added = load("figure2_fair/one_change/add_one.yaml");
  const Sweep full_size = load("figure2_imagenet/ablation.yaml");
  EXPECT_EQ(left_out.runs.size(), 24U);
  EXPECT_EQ(left_out.baseline, "bn_x5");
  EXPECT_EQ(arms_of(left_out), arms_of(first));
  EXPECT_EQ(arms_of(added).size(), 8U);
  EXPECT_EQ(arms_of(full_size).size(), 16U);
  struct Pair {
    const Sweep &left_out, &added;
  };
  for (const Pair& pair : {Pair{left_out, added}, Pair{full_size, full_size}}) {
    const Config x5 = config_of(pair.left_out, "bn_x5"), baseline = config_of(pair.added, "bn_baseline");
    const size_t all = experiment_diff(baseline, x5).size();
    for (const std::string change :
         {"learning_rate", "dropout", "l2", "decay", "local_response_norm", "shuffling", "distortion"}) {
      const std::vector<std::string> more = experiment_diff(config_of(pair.added, "add_" + change), x5);
      const std::vector<std::string> less = experiment_diff(baseline, config_of(pair.left_out, "leave_out_" + change));
      EXPECT_EQ(more.size() + 1, all) << pair.added.path << " " << change;
      EXPECT_EQ(more, less) << pair.left_out.path << " " << change;
    }
  }
}

// Paper: sec. 4.2.3.
TEST(ExperimentSweeps, TheEnsembleHasSixMembersOfSixSeeds) {
  const std::string dropout = "model.dropout: 0 -> ", init = "model.init_scale: 1 -> ",
                    per_activation = "model.per_activation: [] -> [inception_5b]";
  const std::map<std::string, std::vector<std::string>> members = {
      {"larger_init", {init + "1.5"}},
      {"dropout_5", {dropout + "0.05", "train.seed: 1 -> 2"}},
      {"dropout_10", {dropout + "0.1", "train.seed: 1 -> 3"}},
      {"per_activation", {per_activation, "train.seed: 1 -> 4"}},
      {"larger_init_dropout_5", {dropout + "0.05", init + "2", "train.seed: 1 -> 5"}},
      {"per_activation_dropout_10", {dropout + "0.1", per_activation, "train.seed: 1 -> 6"}}};
  const Sweep full_size = load("figure2_imagenet/sweep.yaml"), scaled = load("figure4_ensemble/sweep.yaml");
  EXPECT_EQ(arms_of(scaled).size(), 6U);
  const Config x30 = config_of(load("figure2_tiny_imagenet/paper_rates.yaml"), "bn_x30");
  for (const auto& [arm, changes] : members) {
    EXPECT_EQ(diff(config_of(full_size, "bn_x30"), config_of(full_size, arm)), changes);
    std::vector<std::string> found = diff(x30, config_of(scaled, arm));
    std::erase_if(found, [](const std::string& line) { return line.starts_with("train.probe."); });
    EXPECT_EQ(found, changes);
  }
}

TEST(ExperimentSweeps, TheScaledStudyHasThePapersOwnRatesToo) {
  const Sweep paper = load("figure2_imagenet/sweep.yaml"), searched = load("figure2_tiny_imagenet/sweep.yaml"),
              ours = load("figure2_tiny_imagenet/paper_rates.yaml");
  EXPECT_EQ(arms_of(ours), arms_of(searched));
  for (const std::string& arm : arms_of(ours)) {
    const LearningRateOptions expected = config_of(paper, arm).train.learning_rate;
    const LearningRateOptions found = config_of(ours, arm).train.learning_rate;
    EXPECT_DOUBLE_EQ(found.initial, expected.initial) << arm;
    EXPECT_NEAR(found.decay_epochs, expected.decay_epochs / 10, 1e-12) << arm;
    for (const std::string& line : diff(config_of(searched, arm), config_of(ours, arm))) {
      EXPECT_TRUE(line.starts_with("train.learning_rate.")) << line;
    }
  }
}

// By how much a network's learning rate falls over its training, and its length as a share of Inception's.
struct Proportions {
  double decay = 0, length = 0;
};

Proportions proportions(const Config& config, double training_images, double steps, double inceptions_steps) {
  const LearningRateOptions& rate = config.train.learning_rate;
  const double epochs = steps * static_cast<double>(config.train.batch) / training_images;
  return {.decay = std::pow(rate.decay_factor, epochs / rate.decay_epochs), .length = steps / inceptions_steps};
}

// Paper: Fig. 3, Inception after 31e6 steps and BN-x30 after 6e6.
TEST(ExperimentSweeps, TheFairStudyKeepsThePapersProportions) {
  const test::TemporaryFolder folder;
  std::string text = test::read_bytes(kExperiments + "figure2_fair/sweep.yaml.in");
  const std::map<std::string, std::string> values = {{"@configs@", BN_SOURCE_DIR "/configs/tiny_imagenet"},
                                                     {"@rate@", "0.012"},
                                                     {"@rate_x5@", "0.06"},
                                                     {"@rate_x30@", "0.36"}};
  for (const auto& [name, value] : values) text = std::regex_replace(text, std::regex(name), value);
  test::write_bytes(folder / "sweep.yaml", text);
  const Sweep ours = load_sweep(folder / "sweep.yaml"), paper = load("figure2_imagenet/sweep.yaml");
  EXPECT_EQ(ours.runs.size(), 35U);
  EXPECT_EQ(arms_of(ours), arms_of(load("figure2_tiny_imagenet/sweep.yaml")));
  constexpr double kImages = 20'000, kInceptionsSteps = 18'750;
  for (const std::string& arm : arms_of(ours)) {
    const bool accelerated = config_of(ours, arm).train.l2 < 1e-4;  // section 4.2.1's changes
    const Proportions expected = proportions(config_of(paper, arm), 1'281'167, accelerated ? 6e6 : 31e6, 31e6);
    const Config config = config_of(ours, arm);
    const Proportions found = proportions(config, kImages, config.train.epochs * kImages / 32, kInceptionsSteps);
    EXPECT_NEAR(found.decay / expected.decay, 1, 0.02) << arm;
    EXPECT_NEAR(found.length / expected.length, 1, 0.01) << arm;
    const Config searched = config_of(load("figure2_tiny_imagenet/sweep.yaml"), arm);
    EXPECT_EQ(config.train.learning_rate.initial, searched.train.learning_rate.initial) << arm;
  }
}

// A search and the comparison that uses its rates have no seed in common.
TEST(ExperimentSweeps, WhatBnDoesSearchesWithOtherSeeds) {
  int searches = 0, comparisons = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(kExperiments + "what_bn_does")) {
    const std::string name = entry.path().filename().string();
    if (entry.path().extension() != ".yaml" || name == "network.yaml" || name == "study.yaml") continue;
    const bool is_search = name.ends_with("learning_rates.yaml");
    const bool learns_by_heart = entry.path().parent_path().filename() == "regulariser";
    std::set<uint64_t> seeds;
    for (const SweepRun& run : load_sweep(entry.path().string()).runs) {
      seeds.insert(run.config.train.seed);
      EXPECT_EQ(run.config.train.epochs, learns_by_heart ? 20 : 3) << run.arm;
    }
    EXPECT_EQ(seeds, (is_search ? std::set<uint64_t>{11, 12, 13} : std::set<uint64_t>{1, 2, 3, 4, 5})) << entry.path();
    ++(is_search ? searches : comparisons);
  }
  EXPECT_GE(searches, 4);
  EXPECT_GE(comparisons, 7);
}

TEST(ExperimentSweeps, FineTuningDiffersInItsStartAlone) {
  const Sweep sweep = load("fine_tuning/sweep.yaml");
  EXPECT_EQ(sweep.baseline, "from_scratch");
  EXPECT_EQ(sweep.runs.size(), 12U);
  const Config scratch = config_of(sweep, "from_scratch");
  EXPECT_EQ(diff(scratch, config_of(sweep, "from_scratch_24_epochs")),
            std::vector<std::string>{"train.epochs: 6 -> 24"});
  const std::string start = "model.init_from: \"\" -> runs/fine_tuning_pretrained";
  EXPECT_EQ(diff(scratch, config_of(sweep, "fine_tuned")), std::vector<std::string>{start});
  EXPECT_EQ(diff(scratch, config_of(sweep, "fine_tuned_above_3c")),
            (std::vector<std::string>{start, "model.freeze: [] -> [conv, inception_3]"}));
}

TEST(ExperimentSweeps, FullSizeHasAllRowsOfFigures2To4) {
  const Sweep sweep = load("figure2_imagenet/sweep.yaml");
  EXPECT_EQ(arms_of(sweep).size(), 13U);
  EXPECT_EQ(sweep.training_images, 1281167);
}

}  // namespace
}  // namespace bn
