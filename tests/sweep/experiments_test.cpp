// The sweep files under experiments/.
#include <gtest/gtest.h>

#include <set>

#include "bn/sweep.hpp"

namespace bn {
namespace {

const std::string kExperiments = BN_SOURCE_DIR "/experiments/";

std::set<std::string> arms_of(const Sweep& sweep) {
  std::set<std::string> arms;
  for (const SweepRun& run : sweep.runs) arms.insert(run.arm);
  return arms;
}

TEST(ExperimentSweeps, Figure2HasSevenNetworksAndFiveSeeds) {
  const Sweep sweep = load_sweep(kExperiments + "figure2_tiny_imagenet/sweep.yaml");
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
  const Sweep sweep = load_sweep(kExperiments + "figure2_tiny_imagenet/learning_rate_search.yaml");
  EXPECT_EQ(sweep.baseline, "inception-learning_rate.initial=0.0015");
  for (const SweepRun& run : sweep.runs) EXPECT_EQ(run.config.model.normalization, Normalization::kNone);
}

TEST(ExperimentSweeps, TheAblationLeavesOutEachOfSevenChanges) {
  const Sweep sweep = load_sweep(kExperiments + "ablation_tiny_imagenet/sweep.yaml");
  EXPECT_EQ(arms_of(sweep).size(), 8U);
  EXPECT_EQ(sweep.runs.size(), 24U);
  EXPECT_EQ(sweep.baseline, "bn_x5");
}

TEST(ExperimentSweeps, TheEnsembleHasSixMembersOfSixSeeds) {
  const Sweep sweep = load_sweep(kExperiments + "figure4_ensemble/sweep.yaml");
  std::set<uint64_t> seeds;
  for (const SweepRun& run : sweep.runs) seeds.insert(run.config.train.seed);
  EXPECT_EQ(arms_of(sweep).size(), 6U);
  EXPECT_EQ(seeds.size(), 6U);
}

TEST(ExperimentSweeps, FullSizeHasAllRowsOfFigures2To4) {
  const Sweep sweep = load_sweep(kExperiments + "figure2_imagenet/sweep.yaml");
  EXPECT_EQ(arms_of(sweep).size(), 13U);
  EXPECT_EQ(sweep.training_images, 1281167);
}

}  // namespace
}  // namespace bn
