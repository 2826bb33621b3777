#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

#include "run/folder_lock.hpp"
#include "sweep/fixtures.hpp"

namespace bn::test {
namespace {

class RunSweep : public testing::Test {
 protected:
  // A stand-in for the program: gets the arguments of `train` and answers as told.
  SweepOptions options(const std::string& script) const {
    return {.folder = folder_ / "out",
            .program = {"/bin/sh", folder_.write("program.sh", script)},
            .lock_patience = std::chrono::milliseconds(0)};
  }
  Sweep load(const std::string& text = "name: a\nconfigs: [plain.yaml]\nseeds: [1, 2]\n") const {
    return load_sweep(folder_.sweep(text));
  }

  SweepFolder folder_;
};

TEST_F(RunSweep, ARunFolderInUseIsFoundBeforeTheFirstStart) {
  Sweep sweep = load();
  const std::string run = folder_ / "out/plain/seed_2";
  std::filesystem::create_directories(run);
  const FolderLock lock(run);
  EXPECT_EQ(error_message<StorageError>([&] { run_sweep(sweep, options("exit 0")); }),
            fmt::format("run folder '{}' is in use: process {} trains into it", run, getpid()));
  EXPECT_FALSE(std::filesystem::exists(folder_ / "out/plain/seed_1"));
}

TEST_F(RunSweep, StartsEachRunWithItsShareOfTheCores) {
  Sweep sweep = load("name: a\nconfigs: [plain.yaml]\nset: {train.l2: 0.5}\nseeds: [7]\n");
  SweepOptions four = options("echo \"$@\"");
  four.jobs = 2;
  four.cores = 8;
  EXPECT_EQ(run_sweep(sweep, four).finished, 1);
  EXPECT_EQ(read_bytes(folder_ / "out/plain/seed_7/output.txt"),
            fmt::format("train {} --out {} --resume --quiet --set train.l2=0.5 --set train.seed=7 --set threads=4\n",
                        folder_ / "plain.yaml", folder_ / "out/plain/seed_7"));
}

TEST_F(RunSweep, ExitCodesAreOutcomes) {
  Sweep sweep = load("name: a\nconfigs: [plain.yaml]\nseeds: [1, 2, 3, 4]\n");
  // Seed 1 diverges, 2 is killed each time, 3 fails the first time only.
  const SweepResult result = run_sweep(sweep, options(R"(
    case "$*" in
      *seed=1*) exit 8;;
      *seed=2*) kill -SEGV $$;;
      *seed=3*) test -e ")" + (folder_ / "tried") + R"(" && exit 0
                touch ")" + (folder_ / "tried") + R"("; echo "error: no luck" >&2; exit 1;;
    esac)"));
  EXPECT_EQ(result.diverged, 1);
  EXPECT_EQ(result.crashed, 1);
  EXPECT_EQ(result.finished, 2);
  EXPECT_EQ(sweep.runs[1].state, RunState::kCrashed);
  EXPECT_EQ(sweep.runs[1].attempts, 2);
  EXPECT_EQ(sweep.runs[1].message, "ended by signal 11");
  EXPECT_EQ(sweep.runs[2].attempts, 2);
  EXPECT_EQ(sweep.runs[2].message, "");
  EXPECT_EQ(sweep.runs[3].attempts, 1);
}

TEST_F(RunSweep, TellsWhetherStorageAloneFailed) {
  const auto result = [&](const std::string& script) {
    Sweep sweep = load("name: a\nconfigs: [plain.yaml]\nseeds: [1, 2, 3]\n");
    return run_sweep(sweep, options(script));
  };
  const SweepResult full = result("case \"$*\" in *seed=1*) exit 0;; *) exit 7;; esac");
  EXPECT_EQ(full.crashed, 2);
  EXPECT_TRUE(full.storage_failed);
  EXPECT_FALSE(result("case \"$*\" in *seed=1*) exit 4;; *) exit 7;; esac").storage_failed);
  EXPECT_FALSE(result("exit 0").storage_failed);
}

// Somebody else than the sweep interrupted the run: its state is saved, so it is neither finished nor crashed.
TEST_F(RunSweep, ARunThatWasInterruptedIsLeft) {
  Sweep sweep = load();
  const SweepResult result = run_sweep(sweep, options("case \"$*\" in *seed=1*) exit 9;; esac"));
  EXPECT_TRUE(result.interrupted);
  EXPECT_EQ(result.left, 1);
  EXPECT_EQ(result.finished, 1);
}

TEST_F(RunSweep, AConfigurationMustNotChangeMeanwhile) {
  Sweep sweep = load();
  const std::string file = folder_ / "plain.yaml";
  EXPECT_EQ(error_message<ConfigError>(
                [&] { run_sweep(sweep, options(fmt::format("sed -i 's/steps: 20/steps: 30/' {}", file))); }),
            file + " was changed while the sweep was running; its runs were saved:\n  train.steps: 20 -> 30");
  EXPECT_EQ(sweep.runs[0].state, RunState::kFinished);
  EXPECT_EQ(sweep.runs[1].state, RunState::kPending);
}

TEST_F(RunSweep, AConfigurationMustStayReadable) {
  const std::string file = folder_ / "plain.yaml";
  const std::string changed = file + " was changed while the sweep was running; its runs were saved: ";
  Sweep sweep = load();
  EXPECT_EQ(error_message<ConfigError>(
                [&] { run_sweep(sweep, options(fmt::format("sed -i 's/steps: 20/steps: x/' {}", file))); }),
            changed + file + ":13:10: train.steps: got 'x', expected an integer from 0 to 1000000000000");
  EXPECT_EQ(sweep.runs[1].state, RunState::kPending);
  folder_.write("plain.yaml", kTinyExperiment);
  sweep = load();
  EXPECT_EQ(error_message<ConfigError>([&] { run_sweep(sweep, options("rm " + file)); }),
            changed + "cannot read '" + file + "': No such file or directory");
  EXPECT_EQ(sweep.runs[0].state, RunState::kFinished);
  EXPECT_EQ(sweep.runs[1].state, RunState::kPending);
}

TEST_F(RunSweep, ADamagedRecordIsNotOverwritten) {
  Sweep sweep = load();
  std::filesystem::create_directories(folder_ / "out");
  write_bytes(folder_ / "out/sweep.json", "{");
  EXPECT_EQ(error_message<ConfigError>([&] { run_sweep(sweep, options("exit 0")); }),
            fmt::format("folder '{}' holds a damaged sweep.json, not that of a; give another --out", folder_ / "out"));
}

TEST_F(RunSweep, StopsWhenAsked) {
  Sweep sweep = load();
  SweepOptions stopped = options("trap 'exit 9' TERM; while :; do sleep 0.01; done");
  stopped.stop = [&] { return sweep.runs[0].state == RunState::kRunning; };
  const SweepResult result = run_sweep(sweep, stopped);
  EXPECT_TRUE(result.interrupted);
  EXPECT_EQ(result.left, 2);
  EXPECT_EQ(sweep.runs[0].state, RunState::kInterrupted);
  EXPECT_EQ(sweep.runs[1].state, RunState::kPending);
}

TEST_F(RunSweep, ACrashWhileItStopsIsTold) {
  Sweep sweep = load("name: a\nconfigs: [plain.yaml]\nseeds: [1, 2, 3]\n");
  const std::string ready = folder_ / "ready";
  // Seed 1 fails as it saves; seed 2 ends by the signal itself, as a run does that has only just been started; so does
  // seed 3, which has trained.
  SweepOptions stopped = options(fmt::format(R"(
    case "$*" in
      *seed=1*) trap 'echo "error: disk full" >&2; exit 7' TERM;;
      *seed=3*) printf '{{"event":"%s","step":5,"epoch":0.1}}\n' start train > {}/log.jsonl;;
    esac
    echo >> {}
    while :; do sleep 0.01; done)",
                                             folder_ / "out/plain/seed_3", ready));
  stopped.jobs = 3;
  stopped.stop = [&] { return std::filesystem::exists(ready) && read_bytes(ready) == "\n\n\n"; };
  const SweepResult result = run_sweep(sweep, stopped);
  EXPECT_TRUE(result.interrupted);
  EXPECT_EQ(sweep.runs[0].state, RunState::kInterrupted);
  EXPECT_EQ(sweep.runs[0].message, "exit code 7, error: disk full");
  EXPECT_EQ(sweep.runs[1].state, RunState::kInterrupted);
  EXPECT_EQ(sweep.runs[1].message, "");
  EXPECT_EQ(sweep.runs[2].state, RunState::kInterrupted);
  EXPECT_EQ(sweep.runs[2].message, "ended by signal 15");
}

TEST_F(RunSweep, AnErrorOfItsOwnLetsTheRunsSave) {
  Sweep sweep = load("name: a\nconfigs: [plain.yaml]\nseeds: [1, 2, 3]\n");
  // Seeds 1 and 2 take a moment to save; the end of seed 3 cannot be recorded.
  SweepOptions three = options(fmt::format(R"(
    cd {}
    case "$*" in
      *seed=1*) trap 'sleep 0.3; touch saved_1; exit 9' TERM; touch ready_1;;
      *seed=2*) trap 'sleep 0.3; touch saved_2; exit 9' TERM; touch ready_2;;
      *seed=3*) until [ -e ready_1 ] && [ -e ready_2 ] && [ $(grep -c running out/sweep.json) = 3 ]; do sleep 0.01; done
                rm out/sweep.json; mkdir out/sweep.json; exit 0;;
    esac
    while :; do sleep 0.01; done)",
                                           folder_ / ""));
  three.jobs = 3;
  three.stop = [&] { return sweep.runs[2].state == RunState::kFinished; };  // ends it if the record can be written
  EXPECT_EQ(error_message<StorageError>([&] { run_sweep(sweep, three); }),
            "cannot write '" + (folder_ / "out/sweep.json") + "': Is a directory");
  EXPECT_TRUE(std::filesystem::exists(folder_ / "saved_1"));
  EXPECT_TRUE(std::filesystem::exists(folder_ / "saved_2"));
}

TEST_F(RunSweep, APlanNeedsAMeasurement) {
  Sweep sweep = load();
  EXPECT_EQ(error_message<Error>([&] { describe_plan(sweep, options("echo 'error: no such op'; exit 6")); }),
            "cannot measure steps of arm plain: error: no such op\n");
  EXPECT_EQ(error_message<UnsupportedError>([&] { describe_plan(sweep, options("echo nothing")); }),
            "the measurement of a few steps printed no result: nothing\n");
}

}  // namespace
}  // namespace bn::test
