// Training that starts from another run's network, as a user meets it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "bn/checkpoint.hpp"
#include "bn/run_folder.hpp"
#include "bn/run_log.hpp"
#include "cli/program.hpp"
#include "support/shapes_experiment.hpp"
#include "support/temporary_folder.hpp"

namespace bn::test {
namespace {

using testing::HasSubstr;

const std::string kFineTuningExperiment =
    small_model("20, 16") + shapes_data(300, 60) +
    R"(train: {batch: 20, steps: 20, learning_rate: {initial: 0.1}, l2: 0.01, log_every: 10, evaluate_every: 10,
  checkpoint_every: 10, evaluate_batch: 30}
threads: 1
)";

class FineTuning : public testing::Test {
 protected:
  FineTuning() {
    write_bytes(root_ / "first.yaml", kFineTuningExperiment);
    train("first", {});
  }

  Words arguments(const std::string& run, const Words& keys) const {
    return joined({"train", root_ / "first.yaml", "--out", root_ / run}, test::set(keys));
  }
  // What the program tells.
  std::string train(const std::string& run, const Words& keys, const Words& more = {}) const {
    return error_of(0, joined(arguments(run, keys), more));
  }
  std::string from_first() const { return "model.init_from=" + (root_ / "first"); }
  std::string opening(const std::string& run) const {
    return read_log(RunFolder(root_ / run).log_path()).front().message;
  }
  std::string checkpoint(const std::string& run, int64_t step) const {
    return read_bytes(RunFolder(root_ / run).checkpoint_path(step));
  }

  const TemporaryFolder root_;
};

TEST_F(FineTuning, KeepsTheClassifierOfTheSameClasses) {
  const std::string start = "starts from '" + (root_ / "first") + "/checkpoints/best.safetensors' (step ";
  EXPECT_THAT(train("second", {from_first(), "train.seed=7"}), HasSubstr(start));
  EXPECT_THAT(opening("second"), HasSubstr(start));
  EXPECT_THAT(opening("second"), testing::Not(HasSubstr("drawn anew")));
  // A step of the least rate leaves what was loaded: it scores as its origin does.
  const std::string best = RunFolder(root_ / "first").best_path();
  train("still", {"model.init_from=" + best, "train.steps=1", "train.learning_rate.initial=1e-30"});
  const auto score = [](const std::string& of) {
    return nlohmann::json::parse(output_of({"evaluate", of, "--json", "--statistics", "population(15)"}))
        .at("loss")
        .get<double>();
  };
  EXPECT_NEAR(score(root_ / "still"), score(best), 1e-6);
}

TEST_F(FineTuning, DrawsTheClassifierOfOtherClassesAndRecordsItsOrigin) {
  EXPECT_THAT(train("second", {from_first(), "model.classes=4", "data.classes_limit=4"}),
              HasSubstr("but the classifier is drawn anew for 4 classes, where it knew 10"));
  EXPECT_THAT(opening("second"), HasSubstr("but the classifier is drawn anew for 4 classes, where it knew 10"));
  const auto provenance = nlohmann::json::parse(read_bytes(root_ / "second/made_of.json"));
  const CheckpointInfo first = read_checkpoint_info(RunFolder(root_ / "first").best_path());
  EXPECT_EQ(provenance.at("origin").at("checkpoint"), RunFolder(root_ / "first").best_path());
  EXPECT_EQ(provenance.at("origin").at("step"), first.progress.step);
  EXPECT_EQ(provenance.at("origin").at("checksum"), first.checksum);
}

TEST_F(FineTuning, ResumesToTheSameBitsAndIsScoredWithoutItsOrigin) {
  const auto with = [&](const char* length) {
    return Words{from_first(), "model.classes=4", "data.classes_limit=4", "model.freeze=[hidden1]", length};
  };
  train("straight", with("train.steps=20"));
  train("resumed", with("train.steps=10"));
  std::filesystem::rename(root_ / "first", root_ / "gone");
  train("resumed", with("train.steps=20"), {"--resume"});
  EXPECT_TRUE(checkpoint("resumed", 20) == checkpoint("straight", 20));
  EXPECT_EQ(read_bytes(root_ / "resumed/made_of.json"), read_bytes(root_ / "straight/made_of.json"));
  EXPECT_THAT(opening("straight"), HasSubstr("; frozen: hidden1 (5160 of "));

  const std::string scored = output_of({"evaluate", root_ / "straight", "--checkpoint", "last", "--json"});
  const LogRecord last = read_log(RunFolder(root_ / "straight").log_path()).rbegin()[1];
  EXPECT_EQ(nlohmann::json::parse(scored).at("top1").get<double>(), last.validation_top1.value_or(-1));
}

TEST_F(FineTuning, AnotherNetworkIsRefusedByItsFirstTensor) {
  const std::string wider = error_of(5, arguments("second", {from_first(), "model.network.hidden=[20, 24]"}));
  EXPECT_THAT(wider, HasSubstr("model.init_from: checkpoint '" + (root_ / "first")));
  EXPECT_THAT(wider, HasSubstr("was written by another network: 'value/hidden2/linear/w' is 16x1x1x20 there and "
                               "24x1x1x20 here"));
  EXPECT_THAT(error_of(5, arguments("third", {from_first(), "model.normalization=none"})),
              HasSubstr("it has no 'value/hidden1/bias/bias'"));
  EXPECT_THAT(error_of(5, arguments("fourth", {from_first(), "model.network.hidden=[20]", "model.classes=4",
                                               "data.classes_limit=4"})),
              HasSubstr("its 'value/hidden2/linear/w' (16x1x1x20) does not exist here"));
}

TEST_F(FineTuning, WhatIsNotThereIsSaid) {
  EXPECT_THAT(error_of(5, arguments("second", {"model.init_from=" + (root_ / "nowhere")})),
              HasSubstr("model.init_from: " + (root_ / "nowhere") + ": no such file or folder"));
  EXPECT_THAT(error_of(5, arguments("third", {"model.init_from=" + (root_ / "first.yaml")})),
              HasSubstr("model.init_from: "));
  EXPECT_THAT(error_of(3, arguments("fourth", {"model.freeze=[hiden1]"})),
              HasSubstr("model.freeze: got 'hiden1', expected a row of the network, or how the names of some begin; "
                        "did you mean hidden1?"));
}

}  // namespace
}  // namespace bn::test
