// Training as a user meets it: killed, interrupted, out of disk, resumed; always to the same bits.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <random>
#include <thread>

#include "bn/error.hpp"
#include "bn/run_folder.hpp"
#include "bn/run_log.hpp"
#include "cli/program.hpp"
#include "core/files.hpp"
#include "support/run_record.hpp"
#include "support/shapes_experiment.hpp"
#include "support/temporary_folder.hpp"

namespace bn {
namespace {

using std::chrono::milliseconds;
using test::bninception;
using test::bninception_command;
using test::code;
using test::curve;
using test::newest;
using test::ProgramResult;
using test::RunningProgram;
using test::TemporaryFolder;
using testing::HasSubstr;
using testing::Not;

// 15 steps an epoch and a checkpoint every 7: most resumes begin inside an epoch. The average is saved too.
const std::string kExperiment =
    "model: {network: network.yaml, classes: 10, normalization: batch}\n" + test::shapes_data(300, 60) + R"(train:
  batch: 20
  steps: 150
  learning_rate: {initial: 0.1, decay_factor: 0.5, decay_steps: 40}
  average: polyak
  statistics_decay: 0.9  # so that no evaluation comes too early for it, of which a run warns
  log_every: 1
  evaluate_every: 50
  evaluate_batch: 20
  checkpoint_every: 7
threads: 1
)";
constexpr const char* kNetwork = "{kind: mlp, image_size: 16, image_channels: 1, hidden: [40, 40]}\n";

class TrainCommand : public testing::Test {
 protected:
  TrainCommand() {
    test::write_bytes(root_ / "experiment.yaml", kExperiment);
    test::write_bytes(root_ / "network.yaml", kNetwork);
  }

  std::vector<std::string> arguments(const std::string& run, const std::vector<std::string>& more = {}) const {
    std::vector<std::string> all{"train", root_ / "experiment.yaml", "--out", root_ / run};
    all.insert(all.end(), more.begin(), more.end());
    return all;
  }
  RunFolder folder(const std::string& run) const { return RunFolder(root_ / run); }

  // Starts or resumes the run and sends it the signal a while after its next checkpoint.
  ProgramResult run_and_signal(const std::string& run, int number, milliseconds after) const {
    const int64_t before = newest(folder(run));
    RunningProgram program(bninception_command(arguments(run, {"--resume"})));
    test::wait_until(milliseconds(20'000), [&] { return newest(folder(run)) > before || program.has_ended(); });
    EXPECT_GT(newest(folder(run)), before);
    std::this_thread::sleep_for(after);
    program.signal(number);
    ProgramResult result = program.wait();
    EXPECT_EQ(result.err.find("is damaged"), std::string::npos) << result.err;
    return result;
  }

  // The run is as if it had never been stopped: its last checkpoint, its best, and what its log says of each step.
  void expect_same_run(const std::string& run, const std::string& reference) const {
    EXPECT_EQ(folder(run).checkpoint_steps(), folder(reference).checkpoint_steps());
    for (const int64_t step : folder(reference).checkpoint_steps()) {
      EXPECT_TRUE(test::read_bytes(folder(run).checkpoint_path(step)) ==
                  test::read_bytes(folder(reference).checkpoint_path(step)))
          << step;
    }
    EXPECT_TRUE(test::read_bytes(folder(run).best_path()) == test::read_bytes(folder(reference).best_path()));
    EXPECT_EQ(curve(folder(run)), curve(folder(reference)));
  }

  TemporaryFolder root_;
};

TEST_F(TrainCommand, SigkillAtRandomMomentsThenResumeGivesTheSameBits) {
  ASSERT_EQ(bninception(arguments("reference")).exit_code, 0);
  std::mt19937 random(11);
  for (int kills = 0; kills < 5 && newest(folder("run")) < 130; ++kills) {
    run_and_signal("run", SIGKILL, milliseconds(random() % 60));
  }
  const ProgramResult last = bninception(arguments("run", {"--resume"}));
  ASSERT_EQ(last.exit_code, 0) << last.err;
  EXPECT_THAT(last.err, Not(HasSubstr("warning")));
  expect_same_run("run", "reference");
}

TEST_F(TrainCommand, SigtermAndSigintWriteACheckpoint) {
  ASSERT_EQ(bninception(arguments("reference")).exit_code, 0);
  for (const int number : {SIGTERM, SIGINT}) {
    const ProgramResult result = run_and_signal("run", number, milliseconds(3));
    ASSERT_EQ(result.exit_code, code(ExitCode::kInterrupted)) << result.err;
    const std::vector<LogRecord> log = read_log(folder("run").log_path());
    EXPECT_EQ(log.back().event, "interrupted");
    EXPECT_EQ(log.back().step, newest(folder("run")));
  }
  ASSERT_EQ(bninception(arguments("run", {"--resume"})).exit_code, 0);
  EXPECT_EQ(curve(folder("run")), curve(folder("reference")));
  EXPECT_TRUE(test::read_bytes(folder("run").checkpoint_path(150)) ==
              test::read_bytes(folder("reference").checkpoint_path(150)));
}

TEST_F(TrainCommand, ResumingNothingSaysThatItBeginsAnew) {
  const ProgramResult result = bninception(arguments("mistyped", {"--resume"}));
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(result.err,
              HasSubstr((root_ / "mistyped") + " holds no checkpoint to resume from, so training begins anew"));
  EXPECT_THAT(bninception(arguments("mistyped", {"--resume"})).err, testing::Not(HasSubstr("begins anew")));
}

TEST_F(TrainCommand, FullDiskKeepsThePreviousCheckpoint) {
  ASSERT_EQ(bninception(arguments("reference")).exit_code, 0);
  run_and_signal("run", SIGTERM, milliseconds(0));
  const int64_t before = newest(folder("run"));
  // The shell's unit is 512 bytes: enough for the log, not for a checkpoint.
  const std::vector<std::string> words = bninception_command(arguments("run", {"--resume"}));
  std::vector<std::string> limited{"/bin/sh", "-c", "ulimit -f 100; exec \"$@\"", "sh"};
  limited.insert(limited.end(), words.begin(), words.end());
  const ProgramResult full = test::run_program(limited);
  EXPECT_EQ(full.exit_code, code(ExitCode::kStorage)) << full.err;
  EXPECT_THAT(full.err, HasSubstr("cannot write '" + (root_ / "run/checkpoints/step_")));
  EXPECT_THAT(full.err, HasSubstr("File too large"));
  EXPECT_EQ(newest(folder("run")), before);
  ASSERT_EQ(bninception(arguments("run", {"--resume"})).exit_code, 0);
  EXPECT_EQ(curve(folder("run")), curve(folder("reference")));
}

TEST_F(TrainCommand, DamagedCheckpointFallsBackAndSaysSo) {
  ASSERT_EQ(bninception(arguments("reference")).exit_code, 0);
  ASSERT_EQ(bninception(arguments("run")).exit_code, 0);
  const std::string path = folder("run").checkpoint_path(150);
  std::string bytes = test::read_bytes(path);
  bytes[bytes.size() / 2] = static_cast<char>(bytes[bytes.size() / 2] ^ 1);
  test::write_bytes(path, bytes);
  const ProgramResult resumed = bninception(arguments("run", {"--resume"}));
  EXPECT_EQ(resumed.exit_code, 0);
  EXPECT_THAT(resumed.err, HasSubstr("warning: checkpoint '" + path + "' is damaged: "));
  expect_same_run("run", "reference");
  for (const int64_t step : folder("run").checkpoint_steps()) {
    std::filesystem::resize_file(folder("run").checkpoint_path(step), 1000);
  }
  const ProgramResult lost = bninception(arguments("run", {"--resume"}));
  EXPECT_EQ(lost.exit_code, code(ExitCode::kCheckpoint));
  EXPECT_THAT(lost.err, HasSubstr("error: none of the 2 checkpoints of run '" + (root_ / "run") + "' can be used"));
}

TEST_F(TrainCommand, AFolderHoldsOneRun) {
  ASSERT_EQ(bninception(arguments("run", {"--set", "train.steps=5"})).exit_code, 0);
  const ProgramResult again = bninception(arguments("run", {"--set", "train.steps=5"}));
  EXPECT_EQ(again.exit_code, code(ExitCode::kConfig));
  EXPECT_THAT(again.err, HasSubstr("already holds a run; use --resume or another --out"));
  const ProgramResult other = bninception(arguments("run", {"--resume", "--set", "train.batch=10"}));
  EXPECT_EQ(other.exit_code, code(ExitCode::kConfig));
  EXPECT_THAT(other.err, HasSubstr("train.batch: 20 -> 10"));
}

TEST_F(TrainCommand, TheFolderTellsWhatComputedEachOp) {
  ASSERT_EQ(bninception(arguments("run", {"--set", "train.steps=7"})).exit_code, 0);
  std::string plan;
  ASSERT_EQ(read_file(root_ / "run/plan.txt", plan), ReadResult::kRead);
  EXPECT_NE(plan.find("loss"), std::string::npos) << plan;
  EXPECT_NE(plan.find("own:"), std::string::npos) << plan;
}

TEST_F(TrainCommand, UnwritableFolderIsFoundBeforeTraining) {
  const ProgramResult result = bninception(arguments("network.yaml/run"));
  EXPECT_EQ(result.exit_code, code(ExitCode::kStorage));
  EXPECT_THAT(result.err, HasSubstr("cannot create folder '" + (root_ / "network.yaml/run")));
  EXPECT_THAT(result.err, Not(HasSubstr("step 1/")));
}

// Killed before its first record: nothing to lose, so nothing to refuse.
TEST_F(TrainCommand, ResumeOfARunWithoutALogStartsIt) {
  ASSERT_EQ(bninception(arguments("reference")).exit_code, 0);
  RunFolder::create(root_ / "run", *folder("reference").stored_config(), true);
  const ProgramResult result = bninception(arguments("run", {"--resume"}));
  ASSERT_EQ(result.exit_code, 0) << result.err;
  expect_same_run("run", "reference");
}

// A run may be made longer, or ended early; not by forgetting an override.
TEST_F(TrainCommand, ResumeSaysThatTheLengthIsAnother) {
  ASSERT_EQ(bninception(arguments("run", {"--set", "train.steps=40"})).exit_code, 0);
  const ProgramResult same = bninception(arguments("run", {"--resume", "--set", "train.steps=40"}));
  EXPECT_THAT(same.err, Not(HasSubstr("another length")));
  const ProgramResult longer = bninception(arguments("run", {"--resume", "--set", "train.steps=50"}));
  ASSERT_EQ(longer.exit_code, 0) << longer.err;
  EXPECT_THAT(longer.err, HasSubstr("this run was started with another length: train.steps: 40 -> 50\n"));
}

// Killed between the writing of a checkpoint and its becoming the best one.
TEST_F(TrainCommand, ResumePublishesTheBestThatAKillPrevented) {
  const std::vector<std::string> to_the_first_evaluation{"--resume", "--set", "train.steps=50"};
  ASSERT_EQ(bninception(arguments("run", to_the_first_evaluation)).exit_code, 0);
  const std::string best = test::read_bytes(folder("run").best_path());
  std::filesystem::remove(folder("run").best_path());
  ASSERT_EQ(bninception(arguments("run", to_the_first_evaluation)).exit_code, 0);
  EXPECT_TRUE(test::read_bytes(folder("run").best_path()) == best);
}

// As some daemons and schedulers start programs: the next file opened would get a standard stream's number.
TEST_F(TrainCommand, ClosedStandardStreamsLeaveTheLogAlone) {
  std::string command = "exec";
  for (const std::string& word : bninception_command(arguments("run"))) command += " '" + word + "'";
  for (const char* closed : {">&- 2>&-", "<&- 2>&-", "<&- >&- 2>&-"}) {
    std::filesystem::remove_all(root_ / "run");
    const ProgramResult result = test::run_program({"/bin/sh", "-c", command + " " + closed});
    EXPECT_EQ(result.exit_code, 0) << closed;
    EXPECT_EQ(read_log(root_ / "run/log.jsonl").back().event, "end") << closed;
  }
}

TEST_F(TrainCommand, ATerminalThatGoesAwayIsAskedToEnd) {
  RunningProgram program(bninception_command(arguments("run", {"--set", "train.steps=1000000"})));
  ASSERT_TRUE(
      test::wait_until(milliseconds(20'000), [&] { return !RunFolder(root_ / "run").checkpoint_steps().empty(); }));
  program.signal(SIGHUP);
  EXPECT_EQ(program.wait().exit_code, code(ExitCode::kInterrupted));
  EXPECT_EQ(read_log(root_ / "run/log.jsonl").back().event, "interrupted");
}

// The checkpoint has the configuration too.
TEST_F(TrainCommand, ADeletedConfigurationIsTakenFromTheCheckpoint) {
  ASSERT_EQ(bninception(arguments("run", {"--set", "train.steps=20"})).exit_code, 0);
  std::filesystem::remove(root_ / "run/config.yaml");
  const ProgramResult other = bninception(arguments("run", {"--resume", "--set", "train.seed=77"}));
  EXPECT_EQ(other.exit_code, code(ExitCode::kConfig));
  EXPECT_NE(other.err.find("train.seed: 1 -> 77"), std::string::npos) << other.err;
  EXPECT_EQ(bninception(arguments("run", {"--resume"})).exit_code, 0);
  EXPECT_TRUE(std::filesystem::exists(root_ / "run/config.yaml"));
}

TEST_F(TrainCommand, AnEpochThatRoundsToNoStepIsRefused) {
  const ProgramResult result = bninception(arguments("run", {"--set", "train.steps=0", "--set", "train.epochs=0.01"}));
  EXPECT_EQ(result.exit_code, code(ExitCode::kConfig));
  EXPECT_NE(result.err.find("train.epochs: 0.01 epochs of 15 steps round to no step"), std::string::npos) << result.err;
}

// The same command on a folder of images that has changed under it would learn other labels.
class ChangedData : public TrainCommand {
 protected:
  ChangedData() {
    test::bn_data({"shapes", "--out", root_ / "set", "--images", "60", "--validation-images", "20", "--size", "16"});
  }
  std::vector<std::string> folder_arguments(const std::vector<std::string>& more = {}) const {
    std::vector<std::string> all{"--set", "train.steps=10", "--set",
                                 "data={kind: folder, train: [" + root_ / "set/train" + "], validation: [" +
                                     root_ / "set/validation" +
                                     "], image_size: 16, image_channels: 1, resize_shorter: "
                                     "0, mean: [0.5], std: [0.25]}"};
    all.insert(all.end(), more.begin(), more.end());
    return all;
  }
  void rename_class(const std::string& from, const std::string& to) const {
    for (const char* split : {"train/", "validation/"}) {
      std::filesystem::rename(root_ / ("set/" + (split + from)), root_ / ("set/" + (split + to)));
    }
  }
};

TEST_F(ChangedData, IsRefusedByName) {
  ASSERT_EQ(bninception(arguments("run", folder_arguments())).exit_code, 0);
  rename_class("arrow", "zebra");
  const ProgramResult resumed = bninception(arguments("run", folder_arguments({"--resume"})));
  EXPECT_EQ(resumed.exit_code, code(ExitCode::kData));
  EXPECT_NE(resumed.err.find("class 0 was 'arrow' and is 'crescent' now"), std::string::npos) << resumed.err;
  const ProgramResult evaluated = bninception({"evaluate", root_ / "run"});
  EXPECT_EQ(evaluated.exit_code, code(ExitCode::kData));
  EXPECT_NE(evaluated.err.find("class 'zebra' is none of the 10 that the network was trained on"), std::string::npos)
      << evaluated.err;
  rename_class("zebra", "arrow");
  std::filesystem::remove(root_ / "set/train/arrow/000000.png");
  const ProgramResult fewer = bninception(arguments("run", folder_arguments({"--resume", "--set", "train.steps=20"})));
  EXPECT_EQ(fewer.exit_code, code(ExitCode::kData));
  EXPECT_NE(fewer.err.find("the training set had 60 images and has 59 now"), std::string::npos) << fewer.err;
  EXPECT_NE(test::read_bytes(root_ / "run/made_of.json").find("\"arrow\",\"crescent\""), std::string::npos);
}

TEST_F(ChangedData, EvaluationNeedsTheValidationImagesAlone) {
  ASSERT_EQ(bninception(arguments("run", folder_arguments())).exit_code, 0);
  std::filesystem::remove_all(root_ / "set/train");
  const ProgramResult result = bninception({"evaluate", root_ / "run"});
  EXPECT_EQ(result.exit_code, 0) << result.err;
}

// Neither need it be known where the training images were.
TEST_F(ChangedData, EvaluationOfNamedImagesNeedsNoDataRoot) {
  const std::vector<std::string> relative{"--set", "data.train=[set/train]", "--set",
                                          "data.validation=[set/validation]"};
  const ProgramResult trained =
      bninception(arguments("run", folder_arguments(relative)), {.environment = {{"BN_DATA_ROOT", root_.path()}}});
  ASSERT_EQ(trained.exit_code, 0) << trained.err;
  const auto evaluate = [&](const std::string& images) {
    return bninception({"evaluate", root_ / "run", "--data", images, "--statistics", "moving"},
                       {.environment = {{"BN_DATA_ROOT", ""}}});
  };
  const ProgramResult result = evaluate(root_ / "set/validation");
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(result.err, "");
}

TEST_F(TrainCommand, OtherBitsAreRefusedUnlessAllowed) {
  const ProgramResult first = bninception(arguments("run", {"--set", "train.steps=14"}));
  ASSERT_EQ(first.exit_code, 0);
  const std::vector<std::string> resume = arguments("run", {"--resume", "--set", "train.steps=28"});
  const test::ProgramOptions generic{.environment = {{"BN_CPU_ISA", "generic"}}};
  const ProgramResult refused = bninception(resume, generic);
  EXPECT_EQ(refused.exit_code, code(ExitCode::kUnsupported));
  EXPECT_NE(refused.err.find("own kernels generic"), std::string::npos) << refused.err;
  EXPECT_NE(refused.err.find("--allow-different-bits"), std::string::npos) << refused.err;
  std::vector<std::string> allowed = resume;
  allowed.emplace_back("--allow-different-bits");
  EXPECT_EQ(bninception(allowed, generic).exit_code, 0);
  EXPECT_NE(test::read_bytes(root_ / "run/log.jsonl").find("other bits are allowed: "), std::string::npos);
}

TEST_F(TrainCommand, DivergenceIsAResult) {
  const ProgramResult result =
      bninception(arguments("run", {"--set", "train.learning_rate.initial=1e30", "--set", "model.normalization=none"}));
  EXPECT_EQ(result.exit_code, code(ExitCode::kDiverged)) << result.err;
  const std::vector<LogRecord> log = read_log(folder("run").log_path());
  EXPECT_EQ(log.back().event, "diverged");
  EXPECT_LT(log.back().step, 10);
}

TEST(CommandLine, HelpListsTheExitCodesAndMistakesAreUsage) {
  const ProgramResult help = bninception({"--help"});
  EXPECT_EQ(help.exit_code, 0);
  EXPECT_THAT(help.out, HasSubstr("Exit codes:"));
  EXPECT_EQ(bninception({"trian"}).exit_code, code(ExitCode::kUsage));
  EXPECT_EQ(bninception({}).exit_code, code(ExitCode::kUsage));
}

}  // namespace
}  // namespace bn
