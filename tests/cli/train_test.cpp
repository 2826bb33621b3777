// Training as a user meets it: killed, interrupted, out of disk, resumed; always to the same bits.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <nlohmann/json.hpp>
#include <random>
#include <thread>

#include "bn/error.hpp"
#include "bn/run_folder.hpp"
#include "bn/run_log.hpp"
#include "cli/program.hpp"
#include "support/run_record.hpp"
#include "support/shapes_experiment.hpp"
#include "support/temporary_folder.hpp"

namespace bn::test {
namespace {

using std::chrono::milliseconds;
using testing::HasSubstr;
using testing::Not;

// 15 steps an epoch and a checkpoint every 7: most resumes begin inside an epoch. The average is saved too. The decay
// of the statistics is such that no evaluation comes too early for it, of which a run warns.
const std::string kTrainExperiment =
    "model: {network: network.yaml, classes: 10, normalization: batch}\n" + shapes_data(300, 60) +
    R"(train: {batch: 20, steps: 150, learning_rate: {initial: 0.1, decay_factor: 0.5, decay_steps: 40},
  average: polyak, statistics_decay: 0.9, log_every: 1, evaluate_every: 50, evaluate_batch: 20, checkpoint_every: 7}
threads: 1
)";
constexpr const char* kNetwork = "{kind: mlp, image_size: 16, image_channels: 1, hidden: [40, 40]}\n";

class TrainCommand : public testing::Test {
 protected:
  TrainCommand() {
    write_bytes(root_ / "experiment.yaml", kTrainExperiment);
    write_bytes(root_ / "network.yaml", kNetwork);
  }

  Words arguments(const std::string& run, const Words& more = {}) const {
    return joined({"train", root_ / "experiment.yaml", "--out", root_ / run}, more);
  }
  // What the program tells as it succeeds, or ends with this exit code.
  std::string train(const std::string& run, const Words& more = {}, ExitCode exit_code = ExitCode::kSuccess) const {
    return error_of(exit_code, arguments(run, more));
  }
  RunFolder folder(const std::string& run) const { return RunFolder(root_ / run); }

  // Starts or resumes the run and sends it the signal a while after its next checkpoint.
  ProgramResult run_and_signal(const std::string& run, int number, milliseconds after) const {
    const int64_t before = newest(folder(run));
    RunningProgram program(bninception_command(arguments(run, {"--resume"})));
    wait_until(milliseconds(20'000), [&] { return newest(folder(run)) > before || program.has_ended(); });
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
      EXPECT_TRUE(read_bytes(folder(run).checkpoint_path(step)) == read_bytes(folder(reference).checkpoint_path(step)))
          << step;
    }
    EXPECT_TRUE(read_bytes(folder(run).best_path()) == read_bytes(folder(reference).best_path()));
    EXPECT_EQ(curve(folder(run)), curve(folder(reference)));
  }

  TemporaryFolder root_;
};

TEST_F(TrainCommand, SigkillAtRandomMomentsThenResumeGivesTheSameBits) {
  train("reference");
  std::mt19937 random(11);
  for (int kills = 0; kills < 5 && newest(folder("run")) < 130; ++kills) {
    run_and_signal("run", SIGKILL, milliseconds(random() % 60));
  }
  EXPECT_THAT(train("run", {"--resume"}), Not(HasSubstr("warning")));
  expect_same_run("run", "reference");
}

TEST_F(TrainCommand, SigtermAndSigintWriteACheckpoint) {
  train("reference");
  for (const int number : {SIGTERM, SIGINT}) {
    const ProgramResult result = run_and_signal("run", number, milliseconds(3));
    ASSERT_EQ(result.exit_code, code(ExitCode::kInterrupted)) << result.err;
    const std::vector<LogRecord> log = read_log(folder("run").log_path());
    EXPECT_EQ(log.back().event, "interrupted");
    EXPECT_EQ(log.back().step, newest(folder("run")));
  }
  train("run", {"--resume"});
  EXPECT_EQ(curve(folder("run")), curve(folder("reference")));
  EXPECT_TRUE(read_bytes(folder("run").checkpoint_path(150)) == read_bytes(folder("reference").checkpoint_path(150)));
}

// The others may be in a library's code that no signal must interrupt.
TEST_F(TrainCommand, OneThreadThatComputesNothingHandlesTheSignals) {
  RunningProgram program(bninception_command(arguments("run", set({"threads=2", "train.steps=1000000"}))));
  ASSERT_TRUE(wait_until(milliseconds(20'000), [&] { return newest(folder("run")) > 0; }));
  for (const int number : {SIGTERM, SIGINT, SIGHUP, SIGUSR1}) {
    int64_t threads = 0, handling = 0;
    for (const auto& thread : std::filesystem::directory_iterator(fmt::format("/proc/{}/task", program.pid()))) {
      const std::string status = read_bytes(thread.path() / "status");
      const size_t mask = status.find("SigBlk:\t");
      ASSERT_NE(mask, std::string::npos);
      const uint64_t blocked = std::stoull(status.substr(mask + 8, 16), nullptr, 16);
      ++threads;
      if ((blocked >> (number - 1) & 1) == 0) ++handling;
    }
    EXPECT_GT(threads, 2);
    EXPECT_EQ(handling, 1) << "signal " << number << ", " << threads << " threads";
  }
  program.signal(SIGTERM);
  EXPECT_EQ(program.wait().exit_code, code(ExitCode::kInterrupted));
}

// `timeout` asks its child and then the child's group; a shell and its terminal both send SIGHUP.
TEST_F(TrainCommand, ARequestThatIsMadeTwiceIsOne) {
  RunningProgram program(bninception_command(arguments("run", set({"train.steps=1000000"}))));
  ASSERT_TRUE(wait_until(milliseconds(20'000), [&] { return newest(folder("run")) > 0; }));
  for (const int number : {SIGINT, SIGTERM, SIGHUP, SIGTERM, SIGUSR1}) program.signal(number);
  const ProgramResult result = program.wait();
  EXPECT_EQ(result.exit_code, code(ExitCode::kInterrupted)) << result.err;
  const LogRecord last = read_log(folder("run").log_path()).back();
  EXPECT_EQ(last.event, "interrupted");
  EXPECT_EQ(last.step, newest(folder("run")));
}

TEST_F(TrainCommand, ResumingNothingSaysThatItBeginsAnew) {
  EXPECT_THAT(train("mistyped", {"--resume"}),
              HasSubstr((root_ / "mistyped") + " holds no checkpoint to resume from, so training begins anew"));
  EXPECT_THAT(train("mistyped", {"--resume"}), Not(HasSubstr("begins anew")));
}

TEST_F(TrainCommand, FullDiskKeepsThePreviousCheckpoint) {
  train("reference");
  run_and_signal("run", SIGTERM, milliseconds(0));
  const int64_t before = newest(folder("run"));
  // The shell's unit is 512 bytes: enough for the log, not for a checkpoint.
  const Words words = bninception_command(arguments("run", {"--resume"}));
  const ProgramResult full = run_program(joined({"/bin/sh", "-c", "ulimit -f 100; exec \"$@\"", "sh"}, words));
  EXPECT_EQ(full.exit_code, code(ExitCode::kStorage)) << full.err;
  EXPECT_THAT(full.err, HasSubstr("cannot write '" + (root_ / "run/checkpoints/step_")));
  EXPECT_THAT(full.err, HasSubstr("File too large"));
  EXPECT_EQ(newest(folder("run")), before);
  train("run", {"--resume"});
  EXPECT_EQ(curve(folder("run")), curve(folder("reference")));
}

TEST_F(TrainCommand, DamagedCheckpointFallsBackAndSaysSo) {
  train("reference");
  train("run");
  const std::string path = folder("run").checkpoint_path(150);
  std::string bytes = read_bytes(path);
  bytes[bytes.size() / 2] = static_cast<char>(bytes[bytes.size() / 2] ^ 1);
  write_bytes(path, bytes);
  EXPECT_THAT(train("run", {"--resume"}), HasSubstr("warning: checkpoint '" + path + "' is damaged: "));
  expect_same_run("run", "reference");
  for (const int64_t step : folder("run").checkpoint_steps()) {
    std::filesystem::resize_file(folder("run").checkpoint_path(step), 1000);
  }
  EXPECT_THAT(train("run", {"--resume"}, ExitCode::kCheckpoint),
              HasSubstr("error: none of the 2 checkpoints of run '" + (root_ / "run") + "' can be used"));
}

TEST_F(TrainCommand, AFolderHoldsOneRun) {
  train("run", {"--set", "train.steps=5"});
  EXPECT_THAT(train("run", {"--set", "train.steps=5"}, ExitCode::kConfig),
              HasSubstr("already holds a run; use --resume or another --out"));
  EXPECT_THAT(train("run", {"--resume", "--set", "train.batch=10"}, ExitCode::kConfig),
              HasSubstr("train.batch: 20 -> 10"));
}

TEST_F(TrainCommand, ItsOwnInputIsNotReplaced) {
  root_.write("mine/config.yaml", read_bytes(root_ / "experiment.yaml"));
  root_.write("mine/network.yaml", kNetwork);
  const std::string config = root_ / "mine/config.yaml", before = read_bytes(config);
  EXPECT_THAT(error_of(ExitCode::kConfig, {"train", config, "--out", root_ / "mine"}),
              HasSubstr("--out: '" + (root_ / "mine") + "' holds the configuration that is read, " + config +
                        ", which a run would replace: give another --out"));
  EXPECT_EQ(read_bytes(config), before);
  EXPECT_EQ(names_in(root_ / "mine"), (std::set<std::string>{"config.yaml", "network.yaml"}));
  // That of a start which failed begins the run, if nothing in it changes.
  const std::string shown = output_of({"config", "show", config});
  RunFolder::create(root_ / "run", shown.substr(shown.find('\n') + 1), false);
  const Words again{"train", root_ / "run/config.yaml", "--quiet", "--out", root_ / "run", "--set"};
  EXPECT_THAT(error_of(ExitCode::kConfig, joined(again, {"train.steps=5"})), HasSubstr("which a run would replace"));
  output_of(joined(again, {"train.seed=1"}));
}

// A start that failed has left its configuration, which is no run's.
TEST_F(TrainCommand, ResumeOfAFailedStartMayBeOfAnotherConfiguration) {
  train("run", {"--set", "train.batch=301"}, ExitCode::kData);
  train("run", {"--resume", "--set", "train.steps=5"});
  EXPECT_EQ(newest(folder("run")), 5);
}

TEST_F(TrainCommand, TheFolderTellsWhatComputedEachOp) {
  train("run", {"--set", "train.steps=7"});
  const std::string plan = read_bytes(root_ / "run/plan.txt");
  EXPECT_THAT(plan, HasSubstr("loss"));
  EXPECT_THAT(plan, HasSubstr("own:"));
}

TEST_F(TrainCommand, UnwritableFolderIsFoundBeforeTraining) {
  EXPECT_THAT(
      train("network.yaml/run", {}, ExitCode::kStorage),
      testing::AllOf(HasSubstr("cannot create folder '" + (root_ / "network.yaml/run")), Not(HasSubstr("step 1/"))));
}

// Killed before its first record: nothing to lose, so nothing to refuse.
TEST_F(TrainCommand, ResumeOfARunWithoutALogStartsIt) {
  train("reference");
  RunFolder::create(root_ / "run", *folder("reference").stored_config(), true);
  train("run", {"--resume"});
  expect_same_run("run", "reference");
}

// A run may be made longer, or ended early; not by forgetting an override.
TEST_F(TrainCommand, ResumeSaysThatTheLengthIsAnother) {
  train("run", {"--set", "train.steps=40"});
  EXPECT_THAT(train("run", {"--resume", "--set", "train.steps=40"}), Not(HasSubstr("another length")));
  EXPECT_THAT(train("run", {"--resume", "--set", "train.steps=50"}),
              HasSubstr("this run was started with another length: train.steps: 40 -> 50\n"));
  EXPECT_EQ(read_log(folder("run").log_path()).back().step, 50);
}

// Killed between the writing of a checkpoint and its becoming the best one.
TEST_F(TrainCommand, ResumePublishesTheBestThatAKillPrevented) {
  const Words to_the_first_evaluation{"--resume", "--set", "train.steps=50"};
  train("run", to_the_first_evaluation);
  const std::string best = read_bytes(folder("run").best_path());
  std::filesystem::remove(folder("run").best_path());
  train("run", to_the_first_evaluation);
  EXPECT_TRUE(read_bytes(folder("run").best_path()) == best);
}

// As some daemons and schedulers start programs: the next file opened would get a standard stream's number.
TEST_F(TrainCommand, ClosedStandardStreamsLeaveTheLogAlone) {
  std::string command = "exec";
  for (const std::string& word : bninception_command(arguments("run"))) command += " '" + word + "'";
  for (const char* closed : {">&- 2>&-", "<&- 2>&-", "<&- >&- 2>&-"}) {
    std::filesystem::remove_all(root_ / "run");
    const ProgramResult result = run_program({"/bin/sh", "-c", command + " " + closed});
    EXPECT_EQ(result.exit_code, 0) << closed;
    EXPECT_EQ(read_log(root_ / "run/log.jsonl").back().event, "end") << closed;
  }
}

// As in `bninception train ... | head -1`: the run is worth more than its messages. That its result was lost is told.
TEST_F(TrainCommand, AReaderThatHasGoneDoesNotEndIt) {
  const Words shell{"/bin/sh", "-c", "(\"$@\" 2>&1; echo $? >\"$0\") | :", root_ / "code"};
  run_program(joined(shell, bninception_command(arguments("run"))));
  EXPECT_EQ(read_log(root_ / "run/log.jsonl").back().event, "end");
  EXPECT_EQ(read_bytes(root_ / "code"), fmt::format("{}\n", code(ExitCode::kStorage)));
}

TEST_F(TrainCommand, AFolderThatIsRemovedEndsIt) {
  RunningProgram program(bninception_command(arguments(
      "run", test::set({"train.steps=1000000", "train.evaluate_every=1000000", "train.checkpoint_every=1000000"}))));
  const std::string log = root_ / "run/log.jsonl";
  ASSERT_TRUE(wait_until(milliseconds(20'000), [&] {
    return std::filesystem::exists(log) && read_bytes(log).find("\"train\"") != std::string::npos;
  }));
  program.signal(SIGSTOP);  // so that it writes nothing meanwhile
  std::this_thread::sleep_for(milliseconds(100));
  std::filesystem::remove_all(root_ / "run");
  program.signal(SIGCONT);
  const ProgramResult result = program.wait();
  EXPECT_EQ(result.exit_code, code(ExitCode::kStorage)) << result.err;
  EXPECT_THAT(result.err, HasSubstr("error: '" + log + "' was removed while the run wrote it\n"));
}

TEST_F(TrainCommand, ATerminalThatGoesAwayIsAskedToEnd) {
  RunningProgram program(bninception_command(arguments("run", {"--set", "train.steps=1000000"})));
  ASSERT_TRUE(wait_until(milliseconds(20'000), [&] { return !RunFolder(root_ / "run").checkpoint_steps().empty(); }));
  program.signal(SIGHUP);
  EXPECT_EQ(program.wait().exit_code, code(ExitCode::kInterrupted));
  EXPECT_EQ(read_log(root_ / "run/log.jsonl").back().event, "interrupted");
}

// The checkpoint has the configuration too.
TEST_F(TrainCommand, ADeletedConfigurationIsTakenFromTheCheckpoint) {
  train("run", {"--set", "train.steps=20"});
  std::filesystem::remove(root_ / "run/config.yaml");
  EXPECT_THAT(train("run", {"--resume", "--set", "train.seed=77"}, ExitCode::kConfig),
              HasSubstr("train.seed: 1 -> 77"));
  train("run", {"--resume"});
  EXPECT_TRUE(std::filesystem::exists(root_ / "run/config.yaml"));
}

// The run was trained by what its checkpoint says, whatever was written into config.yaml since.
TEST_F(TrainCommand, AnEditedConfigurationIsComparedWithTheCheckpoint) {
  train("run", {"--set", "train.steps=20"});
  const std::string config = root_ / "run/config.yaml";
  std::string text = test::read_bytes(config);
  const std::string key = "    initial: 0.1";
  ASSERT_NE(text.find(key), std::string::npos);
  test::write_bytes(config, text.replace(text.find(key), key.size(), "    initial: 0.5"));
  const Words resume{"train", config, "--out", root_ / "run", "--resume", "--set", "train.steps=40"};
  EXPECT_THAT(error_of(ExitCode::kConfig, resume), HasSubstr("train.learning_rate.initial: 0.1 -> 0.5"));
  train("run", {"--resume", "--set", "train.steps=20"});  // the experiment's own file was not edited
  EXPECT_THAT(test::read_bytes(config), HasSubstr(key + "\n"));
}

// The newest checkpoint is found by its name, and so are those that are removed.
TEST_F(TrainCommand, ACheckpointUnderAnotherStepsNameIsRefused) {
  train("run", {"--set", "train.steps=14"});
  const std::string renamed = folder("run").checkpoint_path(99);
  std::filesystem::copy_file(folder("run").checkpoint_path(14), renamed);
  const std::string message = "error: checkpoint '" + renamed +
                              "' is of step 14, not of the step in its name: rename it to step_000000014.safetensors, "
                              "or move it away\n";
  EXPECT_EQ(train("run", {"--resume", "--set", "train.steps=14"}, ExitCode::kCheckpoint), message);
  EXPECT_EQ(error_of(ExitCode::kCheckpoint, {"evaluate", root_ / "run", "--checkpoint", "last"}), message);
  EXPECT_EQ(folder("run").checkpoint_steps().back(), 99);
  output_of({"evaluate", renamed});  // the file itself was named
}

TEST_F(TrainCommand, AnEpochThatRoundsToNoStepIsRefused) {
  EXPECT_THAT(train("run", test::set({"train.steps=0", "train.epochs=0.01"}), ExitCode::kConfig),
              HasSubstr("train.epochs: 0.01 epochs of 15 steps round to no step"));
}

// The same command on a folder of images that has changed under it would learn other labels.
class ChangedData : public TrainCommand {
 protected:
  ChangedData() { write_shapes(root_ / "set", 16, 60, 20); }
  Words folder_arguments(const Words& more = {}) const {
    const std::string data = "data={kind: folder, train: [" + root_ / "set/train" + "], validation: [" +
                             root_ / "set/validation" +
                             "], image_size: 16, image_channels: 1, resize_shorter: 0, mean: [0.5], std: [0.25]}";
    return joined(test::set({"train.steps=10", data}), more);
  }
  void rename_class(const std::string& from, const std::string& to) const {
    for (const char* split : {"train/", "validation/"}) {
      std::filesystem::rename(root_ / ("set/" + (split + from)), root_ / ("set/" + (split + to)));
    }
  }
};

TEST_F(ChangedData, IsRefusedByName) {
  train("run", folder_arguments());
  rename_class("arrow", "zebra");
  EXPECT_THAT(train("run", folder_arguments({"--resume"}), ExitCode::kData),
              HasSubstr("class 0 was 'arrow' and is 'crescent' now"));
  EXPECT_THAT(error_of(ExitCode::kData, {"evaluate", root_ / "run"}),
              HasSubstr("class 'zebra' is none of the 10 that the network was trained on"));
  rename_class("zebra", "arrow");
  std::filesystem::remove(root_ / "set/train/arrow/000000.png");
  EXPECT_THAT(train("run", folder_arguments({"--resume", "--set", "train.steps=20"}), ExitCode::kData),
              HasSubstr("the training set had 60 images and has 59 now"));
  EXPECT_THAT(read_bytes(root_ / "run/made_of.json"), HasSubstr("\"arrow\",\"crescent\""));
}

// The statistics of batch normalisation would be estimated from the damaged image, too.
TEST_F(ChangedData, WhatWasLearnedIsKeptWithoutThePopulationsStatistics) {
  const auto words = [&](int64_t steps, const Words& more = {}) {
    const Words population = test::set({"train.statistics=population", "train.statistics_batches=2"});
    return folder_arguments(joined(joined(population, {"--set", fmt::format("train.steps={}", steps)}), more));
  };
  RunningProgram program(bninception_command(arguments("run", words(1'000'000))));
  ASSERT_TRUE(wait_until(milliseconds(20'000), [&] { return newest(folder("run")) > 0; }));
  const std::string image = root_ / "set/train/arrow/000000.png", whole = read_bytes(image);
  write_bytes(image, std::string(whole.size(), 'x'));
  const ProgramResult ended = program.wait();
  EXPECT_EQ(ended.exit_code, code(ExitCode::kData));
  EXPECT_THAT(ended.err, HasSubstr(image));
  const LogRecord last = read_log(folder("run").log_path()).back();
  EXPECT_EQ(last.event, "error");
  EXPECT_THAT(last.message, HasSubstr("the statistics of batch normalisation in the last checkpoint are not the "
                                      "population's"));
  EXPECT_EQ(newest(folder("run")), last.step);
  write_bytes(image, whole);
  train("run", words(last.step + 10, {"--resume"}));
  train("reference", words(last.step + 10));
  EXPECT_TRUE(read_bytes(folder("run").checkpoint_path(last.step + 10)) ==
              read_bytes(folder("reference").checkpoint_path(last.step + 10)));
}

TEST_F(ChangedData, ARefusedResumeChangesNoConfiguration) {
  train("run", folder_arguments());
  const std::string before = test::read_bytes(root_ / "run/config.yaml");
  std::filesystem::remove(root_ / "set/train/arrow/000000.png");
  train("run", folder_arguments({"--resume", "--set", "train.steps=20"}), ExitCode::kData);
  EXPECT_EQ(test::read_bytes(root_ / "run/config.yaml"), before);
}

// Its folders would be classes.
TEST_F(ChangedData, ARunFolderAmongTheImagesIsRefused) {
  for (const char* place : {"set/train", "set/train/run", "set/validation/arrow/run"}) {
    EXPECT_THAT(train(place, folder_arguments(), ExitCode::kConfig),
                HasSubstr("--out: '" + (root_ / place) + "' lies in the folder of the images, '" + (root_ / "set/")));
  }
  EXPECT_FALSE(std::filesystem::exists(root_ / "set/train/checkpoints"));
  train("set/training", folder_arguments());  // beside them
}

TEST_F(ChangedData, SkippedImagesAreCountedAndNamed) {
  const std::string in_training = root_ / "set/train/arrow/000000.png";
  const std::string in_validation =
      root_ / "set/validation/disk/" + *test::names_in(root_ / "set/validation/disk").begin();
  test::write_bytes(in_training, "no image");
  test::write_bytes(in_validation, "no image");
  const ProgramResult result =
      bninception(arguments("run", folder_arguments({"--set", "data.on_corrupt=skip", "--json", "--quiet"})));
  ASSERT_EQ(result.exit_code, 0) << result.err;
  const auto json = nlohmann::json::parse(result.out);
  EXPECT_GE(json.at("skipped").get<int>(), 3);  // ten steps of 20 of the 60 images
  EXPECT_EQ(json.at("skipped_names"), nlohmann::json::array({in_training}));
  EXPECT_EQ(json.at("validation_skipped"), 1);
  EXPECT_EQ(json.at("validation_skipped_names"), nlohmann::json::array({in_validation}));
  EXPECT_THAT(result.err, HasSubstr("warning: undecodable images were skipped, "));
  EXPECT_THAT(result.err,
              HasSubstr("warning: of the validation set, undecodable images were skipped: " + in_validation));
}

TEST_F(ChangedData, EvaluationNeedsTheValidationImagesAlone) {
  train("run", folder_arguments());
  std::filesystem::remove_all(root_ / "set/train");
  output_of({"evaluate", root_ / "run"});
}

// Neither need it be known where the training images were.
TEST_F(ChangedData, EvaluationOfNamedImagesNeedsNoDataRoot) {
  const Words relative = test::set({"data.train=[set/train]", "data.validation=[set/validation]"});
  output_of(arguments("run", folder_arguments(relative)), {.environment = {{"BN_DATA_ROOT", root_.path()}}});
  EXPECT_EQ(error_of(0, {"evaluate", root_ / "run", "--data", root_ / "set/validation", "--statistics", "moving"},
                     {.environment = {{"BN_DATA_ROOT", ""}}}),
            "");
}

TEST_F(TrainCommand, OtherBitsAreRefusedUnlessAllowed) {
  train("run", {"--set", "train.steps=14"});
  const Words resume = arguments("run", {"--resume", "--set", "train.steps=28"});
  const ProgramOptions generic{.environment = {{"BN_CPU_ISA", "generic"}}};
  const std::string refused = error_of(ExitCode::kUnsupported, resume, generic);
  EXPECT_THAT(refused, HasSubstr("own kernels generic"));
  EXPECT_THAT(refused, HasSubstr("--allow-different-bits"));
  output_of(joined(resume, {"--allow-different-bits"}), generic);
  EXPECT_THAT(read_bytes(root_ / "run/log.jsonl"), HasSubstr("other bits are allowed: "));
}

// No accuracy is known then; -1 would be a number to whoever reads it.
TEST_F(TrainCommand, TheResultOfARunWithoutAnEvaluationHasNoAccuracy) {
  const ProgramResult result = bninception(arguments(
      "run", joined({"--json"}, test::set({"train.learning_rate.initial=1e30", "model.normalization=none"}))));
  EXPECT_EQ(result.exit_code, code(ExitCode::kDiverged)) << result.err;
  const auto json = nlohmann::json::parse(result.out);
  EXPECT_EQ(json.at("outcome"), "diverged");
  EXPECT_TRUE(json.at("best_top1").is_null());
  EXPECT_TRUE(json.at("best_step").is_null());
}

}  // namespace
}  // namespace bn::test
