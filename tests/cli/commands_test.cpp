// The other commands as a user meets them: evaluate, profile, config, and what each says when it cannot.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "bn/run_folder.hpp"
#include "bn/run_log.hpp"
#include "cli/program.hpp"
#include "support/shapes_experiment.hpp"
#include "support/temporary_folder.hpp"

namespace bn::test {
namespace {

using testing::HasSubstr;

const std::string kCommandsExperiment =
    small_model() + shapes_data(300, 70) +
    R"(train: {batch: 20, steps: 30, learning_rate: {initial: 0.1}, log_every: 10, evaluate_every: 15,
  evaluate_batch: 30}
threads: 1
)";

class Commands : public testing::Test {
 protected:
  Commands() { write_bytes(experiment_, kCommandsExperiment); }

  std::string train(const Words& more = {}) const { return test::train(experiment_, root_ / "run", more); }
  Words profile(const Words& more) const { return joined({"profile", experiment_}, more); }

  const TemporaryFolder root_;
  const std::string experiment_ = root_ / "experiment.yaml";
};

nlohmann::json json_of(const Words& arguments) { return nlohmann::json::parse(output_of(arguments)); }

TEST_F(Commands, EvaluateScoresEveryImageOnce) {
  const std::string run = train();
  const auto report = json_of({"evaluate", run, "--checkpoint", "last", "--json"});
  EXPECT_EQ(report.at("images"), 70);  // three batches of 30, the last one padded
  EXPECT_EQ(report.at("skipped"), 0);
  EXPECT_EQ(report.at("step"), 30);
  const std::vector<LogRecord> log = read_log(RunFolder(run).log_path());
  for (const LogRecord& record : log) {
    if (record.event != "evaluate" || record.step != 30) continue;
    EXPECT_EQ(report.at("top1").get<double>(), *record.validation_top1);
    EXPECT_EQ(report.at("loss").get<double>(), *record.validation_loss);
  }
}

TEST_F(Commands, EvaluateGivesTheSameAccuracyUnfolded) {
  const std::string run = train();
  const auto folded = json_of({"evaluate", run, "--json"}),
             unfolded = json_of({"evaluate", run, "--unfolded", "--json"});
  EXPECT_NEAR(folded.at("loss").get<double>(), unfolded.at("loss").get<double>(), 1e-4);
}

TEST_F(Commands, EvaluateSaysWhatItCannotDo) {
  const std::string run = train();
  EXPECT_THAT(error_of(3, {"evaluate", run, "--data", "elsewhere.tar"}), HasSubstr("data.validation"));
  EXPECT_THAT(error_of(5, {"evaluate", root_ / "nowhere"}), HasSubstr("no such file or folder"));
  std::filesystem::create_directory(root_ / "empty");
  EXPECT_EQ(error_of(5, {"evaluate", root_ / "empty"}), "error: " + root_ / "empty" + ": is no run folder\n");
  std::filesystem::rename(run + "/checkpoints", root_ / "taken");
  EXPECT_EQ(bninception({"evaluate", run}).err,
            "error: " + run + ": the run folder holds no checkpoint yet; training writes one when it evaluates\n");
  const std::string above = std::filesystem::path(run).parent_path();
  EXPECT_EQ(bninception({"evaluate", above}).err,
            "error: " + above + ": is no run folder; did you mean '" + run + "'?\n");
  write_bytes(root_ / "mine.onnx", "\x08");
  EXPECT_EQ(
      bninception({"evaluate", root_ / "mine.onnx"}).err,
      "error: " + root_ / "mine.onnx" + ": is an ONNX model; name the run folder, or a .safetensors checkpoint\n");
}

TEST_F(Commands, PopulationStatisticsAreThoseOfTheSavedWeights) {
  // Saved between two evaluations: the checkpoint's statistics must be estimated for it.
  const std::string run =
      train(test::set({"train.statistics=population", "train.statistics_batches=5", "train.checkpoint_every=10",
                       "train.evaluate_every=30", "train.keep_checkpoints=3"}));
  const auto report = json_of({"evaluate", RunFolder(run).checkpoint_path(10), "--json"});
  EXPECT_LT(report.at("loss").get<double>(), 4.0);  // under the initial mean 0 and variance 1 it is far higher
  EXPECT_EQ(report.at("images"), 70);
}

TEST_F(Commands, DivergenceIsRecordedAtItsStep) {
  const Words train{"train", experiment_, "--quiet", "--set", "train.learning_rate.initial=1e30", "--out"};
  error_of(8, joined(train, {root_ / "coarse"}));
  error_of(8, joined(train, {root_ / "fine", "--set", "train.log_every=1"}));
  const LogRecord noticed_late = read_log(RunFolder(root_ / "coarse").log_path()).back();
  const LogRecord noticed_at_once = read_log(RunFolder(root_ / "fine").log_path()).back();
  EXPECT_EQ(noticed_late.event, "diverged");
  EXPECT_EQ(noticed_late.step, noticed_at_once.step);
  EXPECT_LT(noticed_late.step, 10);
}

TEST_F(Commands, AFailedStartLeavesTheFolderFree) {
  EXPECT_THAT(error_of(4, {"train", experiment_, "--quiet", "--out", root_ / "run", "--set", "train.batch=301"}),
              HasSubstr("larger than the training set of 300"));
  train();
}

TEST_F(Commands, ResumingAFinishedRunAddsNothing) {
  const std::string run = train();
  const size_t records = read_log(RunFolder(run).log_path()).size();
  train({"--resume"});
  EXPECT_EQ(read_log(RunFolder(run).log_path()).size(), records);
}

TEST_F(Commands, ProfileTimesEveryOp) {
  const auto report = json_of(profile({"--steps", "2", "--json"}));
  EXPECT_EQ(report.at("ops").size(), 5U);  // linear, bn, linear, bias, loss
  EXPECT_EQ(report.at("ops")[0].at("name"), "hidden1/linear");
  EXPECT_GT(report.at("images_per_second").get<double>(), 0.0);
  EXPECT_GE(report.at("convolution_share").get<double>(), 0.0);
  EXPECT_LE(report.at("convolution_share").get<double>(), 1.0);
}

TEST_F(Commands, ProfilesFoldedEvaluation) {
  const auto report = json_of(profile({"--steps", "2", "--evaluation", "--json"}));
  std::vector<std::string> names;
  for (const auto& op : report.at("ops")) names.push_back(op.at("name"));
  EXPECT_EQ(names, (std::vector<std::string>{"hidden1/linear", "logits/linear"}));
  for (const auto& op : report.at("ops")) EXPECT_EQ(op.at("backward_ms"), 0.0);
  EXPECT_EQ(report.at("update_ms"), 0.0);
  EXPECT_EQ(report.at("purpose"), "evaluate_folded");
}

TEST_F(Commands, ProfileModelsSeveralProcesses) {
  const auto rows =
      json_of(profile({"--steps", "2", "--json", "--processes", "8", "--network", "0.001:100"})).at("scaling");
  ASSERT_EQ(rows.size(), 4U);
  for (size_t i = 0; i < rows.size(); ++i) {
    const double exchange = rows[i].at("exchange_ms"), step = rows[i].at("step_ms");
    EXPECT_EQ(rows[i].at("processes"), 1 << i);
    EXPECT_EQ(rows[i].at("parts"), 1 << i);
    EXPECT_NEAR(rows[i].at("efficiency").get<double>(), 1 - exchange / step, 1e-9);
    if (i > 0) {
      EXPECT_GT(exchange, rows[i - 1].at("exchange_ms").get<double>());
    }
  }
  EXPECT_EQ(rows[0].at("exchange_ms"), 0.0);
  EXPECT_THAT(output_of(profile({"--steps", "2", "--processes", "2"})),
              HasSubstr("are exchanged over 10GbE (1.15 GB/s, 30 us)"));
  EXPECT_THAT(error_of(2, profile({"--processes", "2", "--network", "token"})),
              HasSubstr("--network: got 'token', expected 1GbE, 10GbE, 25GbE, 100GbE, memory, or GB/S:MICROSECONDS "
                        "such as 11.5:2"));
}

TEST_F(Commands, ProfileNamesMergedOpsOnALineOfTheirOwn) {
  const std::string inception = BN_SOURCE_DIR "/configs/quickstart/batch_norm.yaml";
  const std::string table = output_of(
      {"profile", inception, "--steps", "1", "--set", "train.batch=2", "--set", "plan.passes.merge_siblings=always"});
  EXPECT_THAT(table,
              HasSubstr("\ninception_3a/{1x1,3x3_reduce,double3x3_reduce}/conv\n" + std::string(37, ' ') + "conv2d "));
}

// A plan for a GPU that is not here: of the program's answers only the last needs a build with CUDA.
TEST_F(Commands, ProfilePlansForAGpuThatIsOnlyDescribed) {
  const std::string device = BN_SOURCE_DIR "/experiments/benchmarks/gpu_model/devices/h100.json";
  EXPECT_THAT(error_of(3, profile({"--plan-only", device})),
              HasSubstr("--plan-only plans for a GPU: add --set device=cuda"));
  EXPECT_THAT(error_of(4, profile({"--set", "device=cuda", "--plan-only", root_ / "none.json"})),
              HasSubstr("none.json, cannot be read"));
  const ProgramResult planned = bninception(profile({"--set", "device=cuda", "--json", "--plan-only", device}));
  if (planned.err.find("was built without CUDA") != std::string::npos) {
    GTEST_SKIP() << planned.err;
  }
  ASSERT_EQ(planned.exit_code, 0) << planned.err;
  const auto report = nlohmann::json::parse(planned.out);
  EXPECT_EQ(report.at("device"), "NVIDIA H100 80GB HBM3");
  EXPECT_EQ(report.at("ops").size(), 5U);
  EXPECT_EQ(report.at("ops")[0].at("forward"), nlohmann::json({"cublasLt"}));
  EXPECT_GT(report.at("launches").get<int>(), 5);
  const Words large = profile({"--set", "device=cuda", "--plan-only", device, "--set", "train.batch=1000000", "--set",
                               "model.network={kind: mlp, image_size: 16, image_channels: 1, hidden: [16000, 16000]}"});
  EXPECT_THAT(error_of(6, large),
              HasSubstr("NVIDIA H100 80GB HBM3 has not enough memory for a batch of 1000000; about "));
}

TEST_F(Commands, ConfigShowsComparesAndChecks) {
  EXPECT_THAT(output_of({"config", "show", experiment_, "--set", "train.seed=7"}), HasSubstr("seed: 7"));
  write_bytes(root_ / "other.yaml", "base: experiment.yaml\ntrain: {l2: 0.5}\n");
  EXPECT_EQ(output_of({"config", "diff", experiment_, root_ / "other.yaml"}), "train.l2: 0 -> 0.5\n");
  EXPECT_THAT(output_of({"config", "keys"}), HasSubstr("momentum"));
  write_bytes(root_ / "wrong.yaml", "base: experiment.yaml\ntrain: {momentm: 0.5}\n");
  EXPECT_THAT(error_of(3, {"config", "check", experiment_, root_ / "wrong.yaml"}),
              HasSubstr("wrong.yaml:2:9: train.momentm: unknown key"));
}

TEST_F(Commands, ConfigDrawsTheLearningRate) {
  for (const size_t columns : {40U, 80U}) {
    const Words lines = lines_of(output_of({"config", "show", experiment_, "--schedule", "--set",
                                            "train.learning_rate={shape: polynomial, warmup_epochs: 1}"},
                                           {.environment = {{"COLUMNS", std::to_string(columns)}}}));
    ASSERT_GT(lines.size(), 12U);
    EXPECT_EQ(lines.front(), "30 steps, 15 an epoch");
    size_t widest = 0;
    for (const std::string& line : lines) widest = std::max(widest, line.size());
    EXPECT_EQ(widest, columns);
    // It rises to step 15 of 30 and falls again.
    const size_t middle = 11 + (columns - 11) / 2, near = columns / 10;
    EXPECT_GT(lines[1].find('#'), middle - near) << lines[1];
    EXPECT_LT(lines[1].rfind('#'), middle + near) << lines[1];
    EXPECT_LT(lines[12].find('#'), 11 + near) << lines[12];
    EXPECT_THAT(lines, testing::Contains("          15      1.00         0.05"));
    EXPECT_THAT(lines, testing::Contains("          29      1.93     0.003333"));
  }
}

TEST_F(Commands, ConfigDrawsTheLearningRateOfARunInParts) {
  EXPECT_THAT(output_of({"config", "show", experiment_, "--schedule", "--set", "train.parts=2"}),
              testing::StartsWith("30 steps, 7 an epoch\n"));
}

TEST_F(Commands, ConfigSaysWhyItDrawsNoLearningRate) {
  const auto error_with = [&](const Words& more) {
    return error_of(3, joined({"config", "show", experiment_, "--schedule"}, more));
  };
  EXPECT_THAT(error_with({"--set", "train.learning_rate.warmup_epochs=3"}),
              HasSubstr("3 epochs of 15 steps are longer than the run of 30 steps"));
  EXPECT_THAT(error_with({"--images", "19"}), HasSubstr("a batch of 20 is larger than the 19 training images"));
  EXPECT_THAT(error_with({"--images", "39", "--set", "train.parts=2"}),
              HasSubstr("a batch of 40 is larger than the 39 training images"));
  EXPECT_THAT(error_with({"--images", "9223372036854775807", "--set", "train.steps=0", "--set", "train.epochs=1e9"}),
              HasSubstr("train.epochs: the run would have more than 1000000000000 steps; give it fewer epochs"));
  EXPECT_EQ(bninception({"config", "show", experiment_, "--images", "19"}).exit_code, 2);
  // The trainer refuses it too.
  EXPECT_THAT(
      error_of(3, {"train", experiment_, "--out", root_ / "run", "--set", "train.learning_rate.warmup_epochs=3"}),
      HasSubstr("are longer than the run of 30 steps"));
}

TEST_F(Commands, CudaIsRefusedWhereItCannotBe) {
  const ProgramResult result = bninception({"train", experiment_, "--out", root_ / "run", "--set", "device=cuda"});
  if (result.exit_code == 0) GTEST_SKIP() << "there is a GPU here";
  EXPECT_EQ(result.exit_code, 6);
  EXPECT_THAT(result.err, HasSubstr("device: cuda was asked for, but "));
  // Without a GPU the program says one of these; with one, it says why that cannot be used.
  EXPECT_THAT(result.err, testing::AnyOf(HasSubstr("no NVIDIA driver is loaded here; use device: cpu"),
                                         HasSubstr("no NVIDIA GPU was found here; use device: cpu"),
                                         HasSubstr("the NVIDIA driver is too old"),
                                         HasSubstr("this program was built without CUDA; use device: cpu"),
                                         HasSubstr("its module does not load; it needs cuDNN 9"),
                                         HasSubstr("has no kernels for"), HasSubstr("does not start on this machine")));
}

TEST_F(Commands, CudaIsRefusedWithoutItsModule) {
  const std::filesystem::path alone = root_ / "alone";
  std::filesystem::copy_file(BN_PROGRAM, alone);
  const ProgramResult result =
      run_program({alone, "train", experiment_, "--out", root_ / "run", "--set", "device=cuda"});
  EXPECT_EQ(result.exit_code, 6);
  if (result.err.find("built without CUDA") != std::string::npos) GTEST_SKIP() << result.err;
  EXPECT_THAT(result.err,
              HasSubstr("device: cuda was asked for, but its module does not load; it needs cuDNN 9 and the cuBLAS "
                        "that it was built with where the loader finds them (LD_LIBRARY_PATH): "));
  EXPECT_THAT(result.err, HasSubstr("bn_cuda.so"));
}

}  // namespace
}  // namespace bn::test
