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

namespace bn {
namespace {

using test::bninception;
using test::ProgramResult;
using test::TemporaryFolder;

const std::string kExperiment = test::small_model() + test::shapes_data(300, 70) + R"(train:
  batch: 20
  steps: 30
  learning_rate: {initial: 0.1}
  log_every: 10
  evaluate_every: 15
  evaluate_batch: 30
threads: 1
)";

class Commands : public testing::Test {
 protected:
  Commands() { test::write_bytes(experiment_, kExperiment); }

  std::string train(const std::vector<std::string>& more = {}) const {
    return test::train(experiment_, root_ / "run", more);
  }

  const TemporaryFolder root_;
  const std::string experiment_ = root_ / "experiment.yaml";
};

TEST_F(Commands, EvaluateScoresEveryImageOnce) {
  const std::string run = train();
  const ProgramResult result = bninception({"evaluate", run, "--checkpoint", "last", "--json"});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  const auto report = nlohmann::json::parse(result.out);
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
  const auto folded = nlohmann::json::parse(bninception({"evaluate", run, "--json"}).out);
  const auto unfolded = nlohmann::json::parse(bninception({"evaluate", run, "--unfolded", "--json"}).out);
  EXPECT_NEAR(folded.at("loss").get<double>(), unfolded.at("loss").get<double>(), 1e-4);
}

TEST_F(Commands, EvaluateSaysWhatItCannotDo) {
  const std::string run = train();
  const ProgramResult data = bninception({"evaluate", run, "--data", "elsewhere.tar"});
  EXPECT_EQ(data.exit_code, 3);
  EXPECT_NE(data.err.find("data.validation"), std::string::npos) << data.err;
  const ProgramResult missing = bninception({"evaluate", root_ / "nowhere"});
  EXPECT_EQ(missing.exit_code, 5);
  EXPECT_NE(missing.err.find("no such file or folder"), std::string::npos) << missing.err;
  std::filesystem::create_directory(root_ / "empty");
  const ProgramResult empty = bninception({"evaluate", root_ / "empty"});
  EXPECT_EQ(empty.exit_code, 5);
  EXPECT_EQ(empty.err, "error: " + root_ / "empty" + ": is no run folder\n");
  std::filesystem::rename(run + "/checkpoints", root_ / "taken");
  EXPECT_EQ(bninception({"evaluate", run}).err,
            "error: " + run + ": the run folder holds no checkpoint yet; training writes one when it evaluates\n");
  const std::string above = std::filesystem::path(run).parent_path();
  EXPECT_EQ(bninception({"evaluate", above}).err,
            "error: " + above + ": is no run folder; did you mean '" + run + "'?\n");
  test::write_bytes(root_ / "mine.onnx", "\x08");
  EXPECT_EQ(
      bninception({"evaluate", root_ / "mine.onnx"}).err,
      "error: " + root_ / "mine.onnx" + ": is an ONNX model; name the run folder, or a .safetensors checkpoint\n");
}

TEST_F(Commands, PopulationStatisticsAreThoseOfTheSavedWeights) {
  // Saved between two evaluations: the checkpoint's statistics must be estimated for it.
  const std::string run =
      train({"--set", "train.statistics=population", "--set", "train.statistics_batches=5", "--set",
             "train.checkpoint_every=10", "--set", "train.evaluate_every=30", "--set", "train.keep_checkpoints=3"});
  const std::string between = RunFolder(run).checkpoint_path(10);
  const auto report = nlohmann::json::parse(bninception({"evaluate", between, "--json"}).out);
  EXPECT_LT(report.at("loss").get<double>(), 4.0);  // under the initial mean 0 and variance 1 it is far higher
  EXPECT_EQ(report.at("images"), 70);
}

TEST_F(Commands, DivergenceIsRecordedAtItsStep) {
  const ProgramResult coarse = bninception(
      {"train", experiment_, "--quiet", "--out", root_ / "coarse", "--set", "train.learning_rate.initial=1e30"});
  const ProgramResult fine = bninception({"train", experiment_, "--quiet", "--out", root_ / "fine", "--set",
                                          "train.learning_rate.initial=1e30", "--set", "train.log_every=1"});
  EXPECT_EQ(coarse.exit_code, 8);
  EXPECT_EQ(fine.exit_code, 8);
  const LogRecord noticed_late = read_log(RunFolder(root_ / "coarse").log_path()).back();
  const LogRecord noticed_at_once = read_log(RunFolder(root_ / "fine").log_path()).back();
  EXPECT_EQ(noticed_late.event, "diverged");
  EXPECT_EQ(noticed_late.step, noticed_at_once.step);
  EXPECT_LT(noticed_late.step, 10);
}

TEST_F(Commands, AFailedStartLeavesTheFolderFree) {
  const ProgramResult failed =
      bninception({"train", experiment_, "--quiet", "--out", root_ / "run", "--set", "train.batch=301"});
  EXPECT_EQ(failed.exit_code, 4);
  EXPECT_NE(failed.err.find("larger than the training set of 300"), std::string::npos) << failed.err;
  train();
}

TEST_F(Commands, ResumeMayRunLonger) {
  const std::string run = train();
  train({"--resume", "--set", "train.steps=40"});
  EXPECT_EQ(read_log(RunFolder(run).log_path()).back().step, 40);
  const ProgramResult other = bninception({"train", experiment_, "--out", run, "--resume", "--set", "train.batch=10"});
  EXPECT_EQ(other.exit_code, 3);
  EXPECT_NE(other.err.find("train.batch: 20 -> 10"), std::string::npos) << other.err;
}

TEST_F(Commands, ResumingAFinishedRunAddsNothing) {
  const std::string run = train();
  const size_t records = read_log(RunFolder(run).log_path()).size();
  train({"--resume"});
  EXPECT_EQ(read_log(RunFolder(run).log_path()).size(), records);
}

TEST_F(Commands, ProfileTimesEveryOp) {
  const ProgramResult result = bninception({"profile", experiment_, "--steps", "2", "--json"});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  const auto report = nlohmann::json::parse(result.out);
  EXPECT_EQ(report.at("ops").size(), 5U);  // linear, bn, linear, bias, loss
  EXPECT_EQ(report.at("ops")[0].at("name"), "hidden1/linear");
  EXPECT_GT(report.at("images_per_second").get<double>(), 0.0);
  EXPECT_GE(report.at("convolution_share").get<double>(), 0.0);
  EXPECT_LE(report.at("convolution_share").get<double>(), 1.0);
}

TEST_F(Commands, ProfilesFoldedEvaluation) {
  const ProgramResult result = bninception({"profile", experiment_, "--steps", "2", "--evaluation", "--json"});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  const auto report = nlohmann::json::parse(result.out);
  std::vector<std::string> names;
  for (const auto& op : report.at("ops")) names.push_back(op.at("name"));
  EXPECT_EQ(names, (std::vector<std::string>{"hidden1/linear", "logits/linear"}));
  for (const auto& op : report.at("ops")) EXPECT_EQ(op.at("backward_ms"), 0.0);
  EXPECT_EQ(report.at("update_ms"), 0.0);
  EXPECT_EQ(report.at("purpose"), "evaluate_folded");
}

TEST_F(Commands, ProfileModelsSeveralProcesses) {
  const ProgramResult result =
      bninception({"profile", experiment_, "--steps", "2", "--json", "--processes", "8", "--network", "0.001:100"});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  const auto rows = nlohmann::json::parse(result.out).at("scaling");
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
  const ProgramResult shown = bninception({"profile", experiment_, "--steps", "2", "--processes", "2"});
  EXPECT_THAT(shown.out, testing::HasSubstr("are exchanged over 10GbE (1.15 GB/s, 30 us)")) << shown.err;
  const ProgramResult unknown = bninception({"profile", experiment_, "--processes", "2", "--network", "token"});
  EXPECT_EQ(unknown.exit_code, 2);
  EXPECT_THAT(unknown.err, testing::HasSubstr("--network: got 'token', expected 1GbE, 10GbE, 25GbE, 100GbE, memory, or "
                                              "GB/S:MICROSECONDS such as 11.5:2"));
}

// A plan for a GPU that is not here: of the program's answers only the last needs a build with CUDA.
TEST_F(Commands, ProfilePlansForAGpuThatIsOnlyDescribed) {
  const std::string device = BN_SOURCE_DIR "/experiments/benchmarks/gpu_model/devices/h100.json";
  const ProgramResult cpu = bninception({"profile", experiment_, "--plan-only", device});
  EXPECT_EQ(cpu.exit_code, 3);
  EXPECT_NE(cpu.err.find("--plan-only plans for a GPU: add --set device=cuda"), std::string::npos) << cpu.err;
  const ProgramResult nowhere =
      bninception({"profile", experiment_, "--set", "device=cuda", "--plan-only", root_ / "none.json"});
  EXPECT_EQ(nowhere.exit_code, 4);
  EXPECT_NE(nowhere.err.find("none.json, cannot be read"), std::string::npos) << nowhere.err;
  const ProgramResult planned =
      bninception({"profile", experiment_, "--set", "device=cuda", "--json", "--plan-only", device});
  if (planned.err.find("was built without CUDA") != std::string::npos) {
    GTEST_SKIP() << planned.err;
  }
  ASSERT_EQ(planned.exit_code, 0) << planned.err;
  const auto report = nlohmann::json::parse(planned.out);
  EXPECT_EQ(report.at("device"), "NVIDIA H100 80GB HBM3");
  EXPECT_EQ(report.at("ops").size(), 5U);
  EXPECT_EQ(report.at("ops")[0].at("forward"), nlohmann::json({"cublasLt"}));
  EXPECT_GT(report.at("launches").get<int>(), 5);
  const ProgramResult large = bninception(
      {"profile", experiment_, "--set", "device=cuda", "--plan-only", device, "--set", "train.batch=1000000", "--set",
       "model.network={kind: mlp, image_size: 16, image_channels: 1, hidden: [16000, 16000]}"});
  EXPECT_EQ(large.exit_code, 6);
  EXPECT_NE(large.err.find("NVIDIA H100 80GB HBM3 has not enough memory for a batch of 1000000; about "),
            std::string::npos)
      << large.err;
}

TEST_F(Commands, ConfigShowsComparesAndChecks) {
  const ProgramResult shown = bninception({"config", "show", experiment_, "--set", "train.seed=7"});
  EXPECT_EQ(shown.exit_code, 0);
  EXPECT_NE(shown.out.find("seed: 7"), std::string::npos);
  test::write_bytes(root_ / "other.yaml", "base: experiment.yaml\ntrain: {l2: 0.5}\n");
  const ProgramResult difference = bninception({"config", "diff", experiment_, root_ / "other.yaml"});
  EXPECT_EQ(difference.out, "train.l2: 0 -> 0.5\n");
  const ProgramResult keys = bninception({"config", "keys"});
  EXPECT_NE(keys.out.find("momentum"), std::string::npos);
  test::write_bytes(root_ / "wrong.yaml", "base: experiment.yaml\ntrain: {momentm: 0.5}\n");
  const ProgramResult checked = bninception({"config", "check", experiment_, root_ / "wrong.yaml"});
  EXPECT_EQ(checked.exit_code, 3);
  EXPECT_NE(checked.err.find("wrong.yaml:2:9: train.momentm: unknown key"), std::string::npos) << checked.err;
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = text.find('\n', begin);
    lines.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return lines;
}

TEST_F(Commands, ConfigDrawsTheLearningRate) {
  for (const size_t columns : {40U, 80U}) {
    const ProgramResult drawn = bninception({"config", "show", experiment_, "--schedule", "--set",
                                             "train.learning_rate={shape: polynomial, warmup_epochs: 1}"},
                                            {.environment = {{"COLUMNS", std::to_string(columns)}}});
    ASSERT_EQ(drawn.exit_code, 0) << drawn.err;
    const std::vector<std::string> lines = lines_of(drawn.out);
    EXPECT_EQ(lines.front(), "30 steps, 15 an epoch");
    size_t widest = 0;
    for (const std::string& line : lines) widest = std::max(widest, line.size());
    EXPECT_EQ(widest, columns);
    // It rises to step 15 of 30 and falls again.
    const size_t middle = 11 + (columns - 11) / 2, near = columns / 10;
    EXPECT_GT(lines[1].find('#'), middle - near) << drawn.out;
    EXPECT_LT(lines[1].rfind('#'), middle + near) << drawn.out;
    EXPECT_LT(lines[12].find('#'), 11 + near) << drawn.out;
    EXPECT_THAT(lines, testing::Contains("          15      1.00         0.05"));
    EXPECT_THAT(lines, testing::Contains("          29      1.93     0.003333"));
  }
}

TEST_F(Commands, ConfigDrawsTheLearningRateOfARunInParts) {
  const ProgramResult drawn = bninception({"config", "show", experiment_, "--schedule", "--set", "train.parts=2"});
  ASSERT_EQ(drawn.exit_code, 0) << drawn.err;
  EXPECT_EQ(lines_of(drawn.out).front(), "30 steps, 7 an epoch");
}

TEST_F(Commands, ConfigSaysWhyItDrawsNoLearningRate) {
  const ProgramResult late =
      bninception({"config", "show", experiment_, "--schedule", "--set", "train.learning_rate.warmup_epochs=3"});
  EXPECT_EQ(late.exit_code, 3);
  EXPECT_THAT(late.err, testing::HasSubstr("3 epochs of 15 steps are longer than the run of 30 steps"));
  const ProgramResult small = bninception({"config", "show", experiment_, "--schedule", "--images", "19"});
  EXPECT_EQ(small.exit_code, 3);
  EXPECT_THAT(small.err, testing::HasSubstr("a batch of 20 is larger than the 19 training images"));
  const ProgramResult parted =
      bninception({"config", "show", experiment_, "--schedule", "--images", "39", "--set", "train.parts=2"});
  EXPECT_EQ(parted.exit_code, 3);
  EXPECT_THAT(parted.err, testing::HasSubstr("a batch of 40 is larger than the 39 training images"));
  EXPECT_EQ(bninception({"config", "show", experiment_, "--images", "19"}).exit_code, 2);
  // The trainer refuses it too.
  const ProgramResult trained =
      bninception({"train", experiment_, "--out", root_ / "run", "--set", "train.learning_rate.warmup_epochs=3"});
  EXPECT_EQ(trained.exit_code, 3);
  EXPECT_THAT(trained.err, testing::HasSubstr("are longer than the run of 30 steps"));
}

TEST_F(Commands, CudaIsRefusedWhereItCannotBe) {
  const ProgramResult result = bninception({"train", experiment_, "--out", root_ / "run", "--set", "device=cuda"});
  if (result.exit_code == 0) GTEST_SKIP() << "there is a GPU here";
  EXPECT_EQ(result.exit_code, 6);
  EXPECT_THAT(result.err, testing::HasSubstr("device: cuda was asked for, but "));
  // Without a GPU the program says one of these; with one, it says why that cannot be used.
  EXPECT_THAT(result.err, testing::AnyOf(testing::HasSubstr("no NVIDIA driver is loaded here; use device: cpu"),
                                         testing::HasSubstr("no NVIDIA GPU was found here; use device: cpu"),
                                         testing::HasSubstr("the NVIDIA driver is too old"),
                                         testing::HasSubstr("this program was built without CUDA; use device: cpu"),
                                         testing::HasSubstr("its module does not load; it needs cuDNN 9"),
                                         testing::HasSubstr("has no kernels for"),
                                         testing::HasSubstr("does not start on this machine")));
}

TEST_F(Commands, CudaIsRefusedWithoutItsModule) {
  const std::filesystem::path alone = root_ / "alone";
  std::filesystem::copy_file(BN_PROGRAM, alone);
  const ProgramResult result =
      test::run_program({alone, "train", experiment_, "--out", root_ / "run", "--set", "device=cuda"});
  EXPECT_EQ(result.exit_code, 6);
  if (result.err.find("built without CUDA") != std::string::npos) GTEST_SKIP() << result.err;
  EXPECT_THAT(result.err, testing::HasSubstr(
                              "device: cuda was asked for, but its module does not load; it needs cuDNN 9 "
                              "and the cuBLAS that it was built with where the loader finds them (LD_LIBRARY_PATH): "));
  EXPECT_THAT(result.err, testing::HasSubstr("bn_cuda.so"));
}

TEST_F(Commands, ABadCommandLineHasItsOwnExitCode) {
  EXPECT_EQ(bninception({"train"}).exit_code, 2);
  EXPECT_EQ(bninception({"fly"}).exit_code, 2);
  EXPECT_EQ(bninception({"--help"}).exit_code, 0);
}

}  // namespace
}  // namespace bn
