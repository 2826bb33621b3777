#include <gtest/gtest.h>
#include <signal.h>

#include "support/child_process.hpp"
#include "support/temporary_folder.hpp"

namespace bn::test {
namespace {

using std::chrono::milliseconds;

ProgramResult run_shell(const std::string& script, const ProgramOptions& options = {}) {
  return run_program({"/bin/sh", "-c", script}, options);
}

TEST(RunProgram, CapturesBothStreamsAndTheExitCode) {
  const ProgramResult result = run_shell("echo out; echo err >&2; exit 7");
  EXPECT_EQ(result.exit_code, 7);
  EXPECT_EQ(result.out, "out\n");
  EXPECT_EQ(result.err, "err\n");
  EXPECT_FALSE(result.timed_out);
}

TEST(RunProgram, ArgumentsNeedNoQuoting) {
  const ProgramResult result = run_program({"/bin/sh", "-c", "printf '[%s]' \"$@\"", "sh", "a b", "", "$HOME;'\""});
  EXPECT_EQ(result.out, "[a b][][$HOME;'\"]");
}

TEST(RunProgram, MoreOutputThanAPipeHolds) {
  const ProgramResult result = run_shell("head -c 1000000 /dev/zero; head -c 1000000 /dev/zero >&2");
  EXPECT_EQ(result.out.size(), 1'000'000U);
  EXPECT_EQ(result.err.size(), 1'000'000U);
}

TEST(RunProgram, AddsToTheEnvironment) {
  const ProgramResult result = run_shell("echo \"$BN_TEST_WORD $PATH\"", {.environment = {{"BN_TEST_WORD", "a b"}}});
  EXPECT_EQ(result.out, std::string("a b ") + getenv("PATH") + "\n");
  EXPECT_EQ(run_shell("echo $PATH", {.environment = {{"PATH", "/nowhere"}}}).out, "/nowhere\n");
}

TEST(RunProgram, RunsInAFolderWithoutInput) {
  const TemporaryFolder folder;
  const ProgramResult result = run_shell("cat; pwd -P; touch made", {.folder = folder.path()});
  EXPECT_EQ(result.out, std::filesystem::canonical(folder.path()).string() + "\n");
  EXPECT_EQ(names_in(folder.path()), std::set<std::string>{"made"});
}

TEST(RunProgram, AMissingProgramIsExitCode127) {
  EXPECT_EQ(run_program({"/nowhere/program"}).exit_code, 127);
  EXPECT_EQ(run_shell("true", {.folder = "/nowhere"}).exit_code, 127);
}

TEST(RunProgram, TimeoutKillsIt) {
  const ProgramResult result = run_shell("echo begun; sleep 60 & wait", {.timeout = milliseconds(100)});
  EXPECT_TRUE(result.timed_out);
  EXPECT_EQ(result.exit_code, 128 + SIGKILL);
  EXPECT_EQ(result.out, "begun\n");
}

TEST(RunningProgram, TakesSignals) {
  const TemporaryFolder folder;
  RunningProgram program(
      {"/bin/sh", "-c", "trap 'echo caught; exit 9' TERM; touch ready; while :; do sleep 0.01; done"},
      {.folder = folder.path()});
  EXPECT_TRUE(wait_until(milliseconds(10'000), [&] { return std::filesystem::exists(folder / "ready"); }));
  EXPECT_FALSE(program.has_ended());
  program.signal(SIGTERM);
  EXPECT_TRUE(wait_until(milliseconds(10'000), [&] { return program.has_ended(); }));
  const ProgramResult result = program.wait();
  EXPECT_EQ(result.exit_code, 9);
  EXPECT_EQ(result.out, "caught\n");
}

TEST(RunningProgram, DestructorEndsIt) {
  pid_t process = 0;
  {
    const RunningProgram program({"/bin/sh", "-c", "exec sleep 60"});
    process = program.pid();
    EXPECT_EQ(kill(process, 0), 0);
  }
  EXPECT_EQ(kill(process, 0), -1);
}

TEST(WaitUntil, GivesUp) {
  EXPECT_FALSE(wait_until(milliseconds(20), [] { return false; }));
}

}  // namespace
}  // namespace bn::test
