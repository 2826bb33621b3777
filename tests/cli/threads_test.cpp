// How many threads compute, why, and how they wait for each other, as a user sees it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <regex>

#include "bn/error.hpp"
#include "bn/run_folder.hpp"
#include "bn/run_log.hpp"
#include "cli/program.hpp"
#include "support/shapes_experiment.hpp"
#include "support/temporary_folder.hpp"
#include "system/usable_cores.hpp"

namespace bn::test {
namespace {

namespace fs = std::filesystem;

using testing::ElementsAre;
using testing::EndsWith;
using testing::HasSubstr;

const std::string kThreadsExperiment =
    small_model() + shapes_data(300, 70) +
    R"(train: {batch: 20, steps: 10, learning_rate: {initial: 0.1}, log_every: 5, evaluate_every: 10, evaluate_batch: 30}
)";

class Threads : public testing::Test {
 protected:
  Threads() { write_bytes(experiment_, kThreadsExperiment); }

  // "cpu: ..., 2 threads (all cores)"
  std::string backend(const Words& more, const ProgramOptions& options = {}) const {
    const Words arguments = joined({"profile", experiment_, "--steps", "1", "--json"}, more);
    return nlohmann::json::parse(output_of(arguments, options)).at("backend");
  }

  // Starts the program as a user does who has not said how threads wait, unless `variables` ("NAME=value") say it.
  // libgomp writes its settings each time the program starts.
  static Words command(const Words& variables, const Words& words) {
    const Words env{"/usr/bin/env", "-u", "OMP_WAIT_POLICY", "-u", "GOMP_SPINCOUNT", "OMP_DISPLAY_ENV=verbose"};
    return joined(joined(env, variables), words);
  }

  // The settings that libgomp wrote at each start.
  static Words spin_counts(const ProgramResult& result) {
    const std::regex setting("GOMP_SPINCOUNT = '([^']*)'");
    Words counts;
    for (std::sregex_iterator found(result.err.begin(), result.err.end(), setting), end; found != end; ++found) {
      counts.push_back((*found)[1]);
    }
    return counts;
  }

  // The program starts once more, and ends with this exit code.
  static void expect_started_anew(const Words& words, int exit_code = 0) {
    const ProgramResult result = run_program(command({}, words));
    EXPECT_EQ(result.exit_code, exit_code) << result.err;
    EXPECT_EQ(spin_counts(result).size(), 2U) << result.err;
  }

  Words profile() const { return {BN_PROGRAM, "profile", experiment_, "--steps", "1"}; }

  const TemporaryFolder root_;
  const std::string experiment_ = root_ / "experiment.yaml";
  const std::string bounded_ = "3000";
};

TEST_F(Threads, TheirNumberIsSaidWithItsReason) {
  EXPECT_THAT(backend({}, {.environment = {{"OMP_NUM_THREADS", "3"}}}), EndsWith(", 3 threads (OMP_NUM_THREADS)"));
  EXPECT_THAT(backend({"--set", "threads=1"}, {.environment = {{"OMP_NUM_THREADS", "3"}}}),
              EndsWith(", 1 thread (threads: 1)"));
  EXPECT_THAT(backend({}), EndsWith(" (" + default_threads().reason + ")"));
  EXPECT_THAT(backend({}), HasSubstr("), oneDNN "));
}

TEST_F(Threads, ARunRecordsThem) {
  output_of({"train", experiment_, "--quiet", "--out", root_ / "run"}, {.environment = {{"OMP_NUM_THREADS", "2"}}});
  const LogRecord start = read_log(RunFolder(root_ / "run").log_path()).front();
  EXPECT_EQ(start.event, "start");
  EXPECT_THAT(start.message, HasSubstr(", 2 threads (OMP_NUM_THREADS); "));
  EXPECT_THAT(start.message, HasSubstr("), oneDNN "));
  EXPECT_THAT(read_bytes(root_ / "run/config.yaml"), HasSubstr("\nthreads: 2\n"));
}

TEST_F(Threads, OfARunStayWhereNobodyNamesOthers) {
  const Words train{"train", experiment_, "--quiet", "--out", root_ / "run"};
  output_of(train, {.environment = {{"OMP_NUM_THREADS", "3"}}});
  Words resume = joined(train, {"--resume", "--set", "train.steps=12"});
  output_of(resume);
  EXPECT_THAT(read_bytes(root_ / "run/config.yaml"), HasSubstr("\nthreads: 3\n"));
  resume.back() = "train.steps=14";
  const ProgramOptions four{.environment = {{"OMP_NUM_THREADS", "4"}}};
  EXPECT_THAT(
      error_of(ExitCode::kConfig, resume, four),
      HasSubstr("threads: 3 -> 4\nthe bits depend on the number of threads; --allow-different-bits goes on with "
                "another"));
  output_of(joined(resume, {"--allow-different-bits"}), four);
  EXPECT_THAT(read_bytes(root_ / "run/config.yaml"), HasSubstr("\nthreads: 4\n"));
}

TEST_F(Threads, SpinForABoundedTimeAfterOneNewStart) {
  const ProgramResult result = run_program(command({}, profile()));
  EXPECT_EQ(result.exit_code, 0) << result.err;
  ASSERT_EQ(spin_counts(result).size(), 2U) << result.err;
  EXPECT_NE(spin_counts(result).front(), bounded_);
  EXPECT_EQ(spin_counts(result).back(), bounded_);
}

// libgomp has bound the first thread to one core by then, and a new start would put all threads there.
TEST_F(Threads, AreNotStartedAnewWhereTheUserBindsThem) {
  for (const char* variable : {"OMP_PROC_BIND=true", "OMP_PLACES=cores", "GOMP_CPU_AFFINITY=0-1"}) {
    const ProgramResult result = run_program(command({variable}, profile()));
    EXPECT_EQ(result.exit_code, 0) << result.err;
    EXPECT_EQ(spin_counts(result).size(), 1U) << variable << result.err;
    EXPECT_THAT(result.out, HasSubstr(" (" + default_threads().reason + ")")) << variable;
  }
}

TEST_F(Threads, TheUsersWayOfWaitingIsLeftAlone) {
  EXPECT_THAT(spin_counts(run_program(command({"GOMP_SPINCOUNT=77"}, profile()))), ElementsAre("77"));
  EXPECT_THAT(spin_counts(run_program(command({"OMP_WAIT_POLICY=passive"}, profile()))), ElementsAre("0"));
  EXPECT_THAT(spin_counts(run_program(command({"OMP_WAIT_POLICY=active"}, profile()))), ElementsAre("30000000000"));
}

TEST_F(Threads, WhatDoesNotComputeStartsOnce) {
  EXPECT_EQ(spin_counts(run_program(command({}, {BN_PROGRAM, "--help"}))).size(), 1U);
  EXPECT_EQ(spin_counts(run_program(command({}, {BN_PROGRAM, "config", experiment_}))).size(), 1U);
}

TEST_F(Threads, TheNewStartIsTheSameProcessWithTheSameWords) {
  const Words words{
      "a name", "train", experiment_, "--out", root_ / "it's a \"run\"", "--set", "train.steps=100000000"};
  const Words shell{"/bin/bash", "-c", "exec -a \"$1\" " BN_PROGRAM " \"${@:2}\"", "bash"};
  RunningProgram program(command({}, joined(shell, words)));
  ASSERT_TRUE(wait_until(std::chrono::milliseconds(20'000), [&] {
    return program.has_ended() || fs::exists(RunFolder(root_ / "it's a \"run\"").log_path());
  }));
  const std::string process = "/proc/" + std::to_string(program.pid());
  ASSERT_FALSE(program.has_ended());
  std::string expected;
  for (const std::string& word : words) expected += word + '\0';
  EXPECT_EQ(read_bytes(process + "/cmdline"), expected);
  EXPECT_EQ(read_bytes(process + "/comm"), "bninception\n");
  EXPECT_THAT(read_bytes(process + "/environ"), HasSubstr(std::string("\0KMP_BLOCKTIME=1\0", 17)));
  program.signal(SIGINT);
  const ProgramResult result = program.wait();
  EXPECT_EQ(result.exit_code, 9) << result.err;
  EXPECT_EQ(spin_counts(result).size(), 2U) << result.err;
}

TEST_F(Threads, ANewStartHasTheExitCodeOfItsFailure) {
  expect_started_anew({BN_PROGRAM, "train", root_ / "missing.yaml", "--out", root_ / "run"}, 3);
}

TEST_F(Threads, StartsAnewThroughTheDynamicLoaderToo) {
  expect_started_anew(joined({"/lib64/ld-linux-x86-64.so.2"}, profile()));
}

TEST_F(Threads, StartsAnewAfterItsFileHasGone) {
  const std::string copy = root_ / "copy";
  fs::copy_file(BN_PROGRAM, copy);
  const Words more = profile();
  expect_started_anew(joined({"/bin/sh", "-c", "exec 3<\"$0\"; rm \"$0\"; exec /proc/self/fd/3 \"$@\"", copy},
                             Words(more.begin() + 1, more.end())));
}

}  // namespace
}  // namespace bn::test
