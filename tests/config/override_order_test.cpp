// Overrides of two keys that say one thing: steps or epochs, in either order.
#include <gtest/gtest.h>

#include "config/fixtures.hpp"

namespace bn::test {
namespace {

TEST(OverrideOrder, AZeroSwitchesNothingElseOff) {
  const TemporaryFolder folder;
  for (const char* train : {"train: {epochs: 3}\n", "train: {steps: 5}\n"}) {
    const std::string path = folder.write("run.yaml", kExperiment + train);
    std::vector<std::string> overrides{"train.epochs=0.0", "train.evaluate_every=7", "train.steps=200"};
    do {
      const Config config = load_config(path, overrides);
      EXPECT_EQ(config.train.steps, 200);
      EXPECT_EQ(config.train.epochs, 0);
    } while (std::next_permutation(overrides.begin(), overrides.end()));
  }
  const std::string decay = "train: {steps: 5, learning_rate: {decay_factor: 0.5, decay_epochs: 2}}\n";
  const std::string path = folder.write("run.yaml", kExperiment + decay);
  const std::string steps = "train.learning_rate.decay_steps=3", epochs = "train.learning_rate.decay_epochs=0";
  for (const auto& overrides : {std::vector{steps, epochs}, std::vector{epochs, steps}}) {
    EXPECT_EQ(load_config(path, overrides).train.learning_rate.decay_steps, 3);
    EXPECT_EQ(load_config(path, overrides).train.learning_rate.decay_epochs, 0);
  }
}

TEST(OverrideOrder, AZeroOfWhatIsNotUsedChangesNothing) {
  const TemporaryFolder folder;
  const std::string path = folder.write("run.yaml", kExperiment + kTrain);
  EXPECT_EQ(load_config(path, {"train.epochs=0"}).train.steps, 10);
}

TEST(OverrideOrder, TheKeyThatIsWrongIsBlamed) {
  const TemporaryFolder folder;
  const std::string path = folder.write("run.yaml", kExperiment + "train: {epochs: 3}\n");
  const std::string what = "got steps 0 and epochs 0, expected exactly one of them above 0";
  EXPECT_EQ(load_error(path, {"train.epochs=0", "train.evaluate_every=5"}),
            "--set train.epochs=0: train.epochs: " + what);
  EXPECT_EQ(load_error(path, {"train.epochs=0", "train.steps=0", "train.l2=1"}),
            "--set train.steps=0: train.steps: " + what);
  // An override beside it is not where it is missing.
  const std::string neither = folder.write("neither.yaml", kExperiment + "train: {batch: 3}\n");
  EXPECT_EQ(load_error(neither, {"train.evaluate_every=5"}), neither + ":5:1: train.steps: " + what);
}

}  // namespace
}  // namespace bn::test
