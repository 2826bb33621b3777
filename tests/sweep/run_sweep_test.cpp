#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

#include "sweep/fixtures.hpp"
#include "train/folder_lock.hpp"

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

// By somebody else than the sweep: what it had is saved, so it is neither finished nor crashed.
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

}  // namespace
}  // namespace bn::test
