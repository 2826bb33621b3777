// Sweeps as a user meets them: killed anywhere, interrupted, with runs that diverge or crash; always to the same
// result.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <thread>

#include "bn/error.hpp"
#include "bn/run_folder.hpp"
#include "cli/program.hpp"
#include "run/folder_lock.hpp"
#include "support/shapes_experiment.hpp"
#include "support/temporary_folder.hpp"
#include "system/usable_cores.hpp"

namespace bn::test {
namespace {

using std::chrono::milliseconds;
using testing::HasSubstr;
using testing::Not;

const std::string kSweepExperiment =
    small_model("20", "none") + shapes_data(200, 40) +
    R"(train: {batch: 20, steps: 60, learning_rate: {initial: 0.1}, log_every: 5, evaluate_every: 20,
  evaluate_batch: 20}
threads: 1
)";

class SweepCommand : public testing::Test {
 protected:
  SweepCommand() {
    write_bytes(root_ / "plain.yaml", kSweepExperiment);
    write_bytes(root_ / "batch_norm.yaml", "base: plain.yaml\nmodel: {normalization: batch}\n");
    write_sweep("configs: [plain.yaml, batch_norm.yaml]\nseeds: [1, 2]\n");
  }

  void write_sweep(const std::string& text) const { write_bytes(root_ / "sweep.yaml", "name: tiny\n" + text); }
  Words arguments(const Words& more = {}) const {
    return joined({"sweep", root_ / "sweep.yaml", "--out", root_ / "out"}, more);
  }
  // What the sweep prints, and what it tells, when it succeeds or ends with this exit code.
  std::string output(const Words& more) const { return output_of(arguments(more)); }
  std::string told(ExitCode exit_code = ExitCode::kSuccess) const { return error_of(exit_code, arguments()); }
  nlohmann::json record() const { return nlohmann::json::parse(read_bytes(root_ / "out/sweep.json")); }
  Words outcomes() const {
    Words all;
    const nlohmann::json whole = record();
    for (const auto& run : whole.at("runs")) all.push_back(run.at("outcome"));
    return all;
  }
  std::string checkpoint(const std::string& run, int64_t step) const {
    return read_bytes(RunFolder(root_ / ("out/" + run)).checkpoint_path(step));
  }

  const TemporaryFolder root_;
};

const Words kAllFinished(4, "finished");

TEST_F(SweepCommand, IsNoRun) {
  test::train(root_ / "plain.yaml", root_ / "out", {"--set", "train.steps=5"});
  EXPECT_EQ(told(ExitCode::kConfig),
            "error: --out: '" + root_ / "out" + "' is the folder of a run: name another one for the sweep\n");
}

// As GNU parallel does it: a shell for each line, on any machine.
TEST_F(SweepCommand, ListedCommandsTrainTheSweep) {
  write_sweep("configs: [plain.yaml, batch_norm.yaml]\nseeds: [1, 2]\nset: {train.steps: 20}\n");
  const Words lines = lines_of(output({"--list"}));
  ASSERT_EQ(lines.size(), 4U);
  for (const std::string& line : lines) {
    const ProgramResult run = run_program({"/bin/sh", "-c", line});
    EXPECT_EQ(run.exit_code, 0) << line << run.err;
  }
  EXPECT_THAT(output({"--status"}), HasSubstr("tiny: 4 finished"));
  EXPECT_EQ(outcomes(), kAllFinished);
  EXPECT_EQ(lines_of(output({"--list"})), lines) << "the numbers of --run must not move";
  // The sweep itself finds nothing left to do.
  EXPECT_THAT(told(), Not(HasSubstr("started")));
}

// As an array of Slurm does it.
TEST_F(SweepCommand, RunTrainsOneLine) {
  output({"--run", "2"});
  EXPECT_EQ(outcomes(), (Words(4, "pending")));
  EXPECT_THAT(output({"--status"}), HasSubstr("tiny: 3 pending, 1 finished"));
  EXPECT_EQ(outcomes(), (Words{"pending", "pending", "finished", "pending"}));
  EXPECT_THAT(error_of(ExitCode::kUsage, arguments({"--run", "4"})),
              HasSubstr("--run 4: the sweep has the runs 0 to 3; --list prints their commands"));
}

// A diverged run's exit code is what the scheduler sees.
TEST_F(SweepCommand, RunHasTheExitCodeOfTraining) {
  write_sweep("configs: [plain.yaml]\nseeds: [1]\nset: {train.learning_rate.initial: 1.0e30}\n");
  error_of(ExitCode::kDiverged, arguments({"--run", "0"}));
  EXPECT_THAT(output({"--status"}), HasSubstr("tiny: 1 diverged"));
}

TEST_F(SweepCommand, ListQuotesForAShell) {
  write_sweep("configs: [plain.yaml]\nseeds: [1]\nset: {model.init_scale: 0.5}\n");
  std::filesystem::create_directory(root_ / "it's here");
  EXPECT_THAT(output_of({"sweep", root_ / "sweep.yaml", "--out", root_ / "it's here/out", "--list"}),
              HasSubstr("'" + (root_ / "it'\\''s here/out/")));
}

TEST_F(SweepCommand, RunsEverythingAndRecordsIt) {
  write_sweep("configs: [plain.yaml, batch_norm.yaml]\nseeds: [1, 2]\nset: {threads: 0}\n");
  const ProgramResult result = bninception(arguments({"--jobs", "2"}));
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(result.out, HasSubstr("tiny: 4 finished, 0 diverged, 0 crashed, 0 left"));
  EXPECT_THAT(result.err, HasSubstr("batch_norm seed 2: finished at step 60, best top-1 "));
  EXPECT_EQ(outcomes(), kAllFinished);
  const nlohmann::json run = record().at("runs").at(1);
  EXPECT_EQ(run.at("arm"), "batch_norm");
  EXPECT_EQ(run.at("config"), root_ / "batch_norm.yaml");
  EXPECT_EQ(run.at("seed"), 1);
  EXPECT_EQ(run.at("folder"), "batch_norm/seed_1");
  EXPECT_EQ(record().at("baseline"), "plain");
  // The run is the one that `train` would have made with its share of the cores.
  const std::string threads = std::to_string(std::max(1, default_threads().count / 2));
  bninception({"train", root_ / "batch_norm.yaml", "--out", root_ / "alone", "--set", "threads=" + threads});
  EXPECT_TRUE(read_bytes(RunFolder(root_ / "alone").checkpoint_path(60)) == checkpoint("batch_norm/seed_1", 60));
}

TEST_F(SweepCommand, WhatIsDoneIsNotRepeated) {
  told();
  const auto written = std::filesystem::last_write_time(root_ / "out/plain/seed_1/log.jsonl");
  write_sweep("configs: [plain.yaml, batch_norm.yaml]\nseeds: [1, 2, 3]\n");
  EXPECT_THAT(told(), testing::AllOf(Not(HasSubstr("seed 1")), HasSubstr("batch_norm seed 3: finished")));
  EXPECT_EQ(outcomes(), Words(6, "finished"));
  EXPECT_EQ(std::filesystem::last_write_time(root_ / "out/plain/seed_1/log.jsonl"), written);
}

// The sweep alone is killed; its runs must notice, and the next sweep must wait for them and go on.
TEST_F(SweepCommand, KilledAnywhereItContinuesToTheSameBits) {
  told();
  const std::string reference = checkpoint("batch_norm/seed_2", 60);
  std::filesystem::remove_all(root_ / "out");
  for (const int milliseconds_alive : {30, 150, 300}) {
    RunningProgram sweep(bninception_command(arguments()));
    std::this_thread::sleep_for(milliseconds(milliseconds_alive));
    sweep.signal(SIGKILL);
    sweep.wait();
  }
  told();
  EXPECT_EQ(outcomes(), kAllFinished);
  EXPECT_TRUE(checkpoint("batch_norm/seed_2", 60) == reference);
}

TEST_F(SweepCommand, InterruptedItSavesItsRuns) {
  write_sweep("configs: [plain.yaml]\nset: {train.steps: 1000000, train.evaluate_every: 1000000}\n");
  RunningProgram sweep(bninception_command(arguments()));
  const std::string log = root_ / "out/plain/seed_1/log.jsonl";
  ASSERT_TRUE(wait_until(milliseconds(20'000), [&] {
    return std::filesystem::exists(log) && read_bytes(log).find("\"train\"") != std::string::npos;
  }));
  sweep.signal(SIGTERM);
  EXPECT_EQ(sweep.wait().exit_code, code(ExitCode::kInterrupted));
  EXPECT_EQ(outcomes(), Words{"interrupted"});
  EXPECT_FALSE(RunFolder(root_ / "out/plain/seed_1").checkpoint_steps().empty());
}

// Its run cannot answer for a while. A second Ctrl-C does not wait for it; what it has learned is saved all the same.
TEST_F(SweepCommand, ASecondCtrlCEndsIt) {
  write_sweep("configs: [plain.yaml]\nset: {train.steps: 1000000, train.evaluate_every: 1000000}\n");
  RunningProgram sweep(bninception_command(arguments()));
  const RunFolder run(root_ / "out/plain/seed_1");
  ASSERT_TRUE(wait_until(milliseconds(20'000), [&] {
    return std::filesystem::exists(run.log_path()) && read_bytes(run.log_path()).find("\"train\"") != std::string::npos;
  }));
  const pid_t child = std::stoi(read_bytes(fmt::format("/proc/{0}/task/{0}/children", sweep.pid())));
  ASSERT_EQ(kill(child, SIGSTOP), 0);
  sweep.signal(SIGINT);
  EXPECT_TRUE(wait_until(milliseconds(20'000), [&] {
    std::this_thread::sleep_for(milliseconds(600));
    sweep.signal(SIGINT);
    return sweep.has_ended();
  }));
  EXPECT_EQ(sweep.wait().exit_code, 128 + SIGINT);
  kill(child, SIGCONT);
  EXPECT_TRUE(wait_until(milliseconds(20'000), [&] { return !run.checkpoint_steps().empty(); }));
}

// Whoever starts it may ignore the signal that tells of a child's end.
TEST_F(SweepCommand, ItsRunsEndWhereSigchldIsIgnored) {
  const Words words = bninception_command(arguments());
  const ProgramResult result = run_program(joined({"/bin/sh", "-c", "trap '' CHLD; exec \"$@\"", "sh"}, words));
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(outcomes(), kAllFinished);
}

TEST_F(SweepCommand, ADivergedRunIsAResult) {
  write_sweep("configs: [plain.yaml, {arm: x1e30, config: plain.yaml, set: {train.learning_rate.initial: 1e30}}]\n");
  told();
  EXPECT_EQ(outcomes(), (Words{"finished", "diverged"}));
  EXPECT_THAT(told(), Not(HasSubstr("started")));
}

TEST_F(SweepCommand, ACrashedRunIsTriedOnceMoreAndReported) {
  write_sweep("configs: [{arm: broken, config: plain.yaml, set: {train.l2: 0.5}}, plain.yaml]\nbaseline: plain\n");
  std::filesystem::create_directories(root_ / "out/broken/seed_1");
  write_bytes(root_ / "out/broken/seed_1/log.jsonl", "garbage\n");  // training refuses to continue it
  const std::string error = told(ExitCode::kFailure), crashed = "broken seed 1: crashed";
  EXPECT_EQ(outcomes(), (Words{"crashed", "finished"}));
  ASSERT_THAT(error, HasSubstr(crashed));
  EXPECT_THAT(error.substr(error.find(crashed) + 1), HasSubstr(crashed));
  EXPECT_THAT(record().at("runs").at(0).at("message").dump(), HasSubstr("exit code 4, error: "));
  EXPECT_THAT(output_of({"report", root_ / "out", "--out", root_ / "report"}),
              HasSubstr("broken with seed 1 is left out: it crashed: exit code 4, error: "));
}

// Where a run's checkpoints go, a file lies.
TEST_F(SweepCommand, WhereStorageFailedEachRunItFailedTheSweep) {
  write_sweep("configs: [plain.yaml]\nseeds: [1, 2]\n");
  for (const char* seed : {"1", "2"}) root_.write(std::string("out/plain/seed_") + seed + "/checkpoints", "");
  told(ExitCode::kStorage);
  EXPECT_EQ(outcomes(), (Words{"crashed", "crashed"}));
  std::filesystem::remove(root_ / "out/plain/seed_1/checkpoints");
  EXPECT_THAT(told(ExitCode::kStorage), HasSubstr("plain seed 1: finished"));
}

TEST_F(SweepCommand, TheSweepFileMustNotChangeMeanwhile) {
  write_sweep("configs: [plain.yaml]\nset: {train.steps: 1000000, train.evaluate_every: 1000000}\n");
  RunningProgram sweep(bninception_command(arguments()));
  ASSERT_TRUE(
      wait_until(milliseconds(20'000), [&] { return std::filesystem::exists(root_ / "out/plain/seed_1/log.jsonl"); }));
  write_sweep("configs: [plain.yaml]\nseeds: [1, 2]\n");
  const ProgramResult result = sweep.wait();
  EXPECT_EQ(outcomes(), Words{"interrupted"});
  EXPECT_EQ(result.exit_code, code(ExitCode::kConfig));
  EXPECT_THAT(result.err, HasSubstr("sweep.yaml was changed while the sweep was running"));
}

TEST_F(SweepCommand, AFolderOfAnotherConfigurationIsRefused) {
  told();
  write_sweep("configs: [plain.yaml]\nset: {train.l2: 0.5}\n");
  EXPECT_THAT(told(ExitCode::kConfig), HasSubstr("plain/seed_1' was begun with another configuration; remove it or "
                                                 "give another --out:\n  train.l2: 0 -> 0.5"));
  write_bytes(root_ / "sweep.yaml", "name: other\nconfigs: [plain.yaml]\n");
  EXPECT_THAT(told(ExitCode::kConfig), HasSubstr("holds the sweep tiny, not other; give another --out"));
}

TEST_F(SweepCommand, FilesOfSomebodyElseStay) {
  const std::string config = root_.write("out/plain/seed_2/config.yaml", "base: ../../../plain.yaml\n");
  EXPECT_THAT(told(ExitCode::kConfig), HasSubstr("out/plain/seed_2' holds no run, but a file config.yaml, which a run "
                                                 "would replace: give another --out, or move the file away"));
  EXPECT_EQ(read_bytes(config), "base: ../../../plain.yaml\n");
  EXPECT_FALSE(std::filesystem::exists(root_ / "out/plain/seed_1"));
  std::filesystem::remove(config);
  const std::string notes = root_.write("out/lock", "locksmith: 555\n");
  EXPECT_THAT(told(ExitCode::kConfig), HasSubstr("out/lock' is there and is no lock of this program"));
  EXPECT_EQ(read_bytes(notes), "locksmith: 555\n");
}

// A start that failed leaves its configuration; the next sweep may be of another.
TEST_F(SweepCommand, AFailedStartLeavesItsFolderFree) {
  error_of(ExitCode::kData,
           {"train", root_ / "plain.yaml", "--out", root_ / "out/plain/seed_1", "--set", "train.batch=201"});
  EXPECT_TRUE(std::filesystem::exists(root_ / "out/plain/seed_1/config.yaml"));
  write_sweep("configs: [plain.yaml]\n");
  told();
  EXPECT_EQ(outcomes(), Words{"finished"});
}

TEST_F(SweepCommand, AFolderInUseIsRefused) {
  std::filesystem::create_directories(root_ / "out");
  const FolderLock lock(root_ / "out");
  EXPECT_THAT(told(ExitCode::kStorage), HasSubstr("sweep folder '" + (root_ / "out") + "' is in use: process "));
}

TEST_F(SweepCommand, MissingDataAreFoundBeforeTheFirstStep) {
  write_sweep(
      "configs: [plain.yaml, {arm: gone, config: plain.yaml, set: {data.kind: tar, data.train: [/nowhere/a.tar], "
      "data.validation: [/nowhere/b.tar]}}]\n");
  EXPECT_THAT(told(ExitCode::kData), HasSubstr("arm gone: cannot open /nowhere/a.tar"));
  EXPECT_FALSE(std::filesystem::exists(root_ / "out/plain"));
}

TEST_F(SweepCommand, ADryRunPlansAndWritesNothing) {
  const std::string plan = output({"--dry-run", "--set", "train.steps=50"});
  EXPECT_THAT(plan, HasSubstr("sweep tiny: 2 arms, 4 runs, 1 at a time"));
  EXPECT_THAT(plan, HasSubstr("       5.0         50 "));  // epochs and steps
  EXPECT_THAT(plan, HasSubstr("in all about 0:0"));
  EXPECT_FALSE(std::filesystem::exists(root_ / "out"));
}

TEST_F(SweepCommand, ADryRunCanDoWithoutTheData) {
  const std::string gone = "set: {data.kind: tar, data.train: [/nowhere/a.tar], data.validation: [/nowhere/b.tar]}\n";
  write_sweep("configs: [plain.yaml]\n" + gone);
  error_of(ExitCode::kData, arguments({"--dry-run"}));
  write_sweep("configs: [plain.yaml]\nimages: {train: 400, validation: 40}\n" + gone);
  const std::string plan = output({"--dry-run"});
  EXPECT_THAT(plan, HasSubstr("       3.0         60 "));
  EXPECT_THAT(plan, HasSubstr("400 training and 40 validation images, as "));
}

}  // namespace
}  // namespace bn::test
