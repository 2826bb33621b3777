#include "system/child.hpp"

#include <gtest/gtest.h>
#include <signal.h>

#include "bn/error.hpp"
#include "support/child_process.hpp"
#include "support/error_message.hpp"
#include "support/temporary_folder.hpp"

namespace bn::test {
namespace {

using std::chrono::milliseconds;

std::vector<std::string> shell(const std::string& script) { return {"/bin/sh", "-c", script}; }

TEST(Child, AppendsItsOutputAndTellsHowItEnded) {
  const TemporaryFolder folder;
  const std::string output = folder / "output.txt";
  EXPECT_EQ(Child(shell("echo one; echo two >&2; exit 7"), output).wait(), 7);
  EXPECT_EQ(Child(shell("echo three; kill -SEGV $$"), output).wait(), 128 + SIGSEGV);
  EXPECT_EQ(read_bytes(output), "one\ntwo\nthree\n");
  EXPECT_EQ(error_message<UnsupportedError>([&] { Child({"/nowhere/program"}, output); }),
            "cannot start '/nowhere/program': No such file or directory");
}

TEST(Child, GetsSignalsThatItsParentBlocks) {
  const TemporaryFolder folder;
  sigset_t signals, before;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  ASSERT_EQ(pthread_sigmask(SIG_BLOCK, &signals, &before), 0);
  EXPECT_EQ(Child(shell("kill -TERM $$; echo survived"), folder / "output.txt").wait(), 128 + SIGTERM);
  ASSERT_EQ(pthread_sigmask(SIG_SETMASK, &before, nullptr), 0);
}

TEST(Child, EndsWhenAsked) {
  const TemporaryFolder folder;
  Child child(shell("trap 'exit 9' TERM; echo ready; while :; do sleep 0.01; done"), folder / "output.txt");
  ASSERT_TRUE(wait_until(milliseconds(10'000), [&] { return read_bytes(folder / "output.txt") == "ready\n"; }));
  EXPECT_FALSE(child.has_ended());
  child.ask_to_end();
  EXPECT_TRUE(wait_until(milliseconds(10'000), [&] { return child.has_ended(); }));
  EXPECT_EQ(child.wait(), 9);
}

TEST(Child, MaySaveBeforeItIsDestroyed) {
  const TemporaryFolder folder;
  {
    const Child child(shell("trap 'sleep 0.3; touch \"" + folder.path() +
                            "/saved\"; exit 9' TERM; echo ready; while :; do sleep 0.01; done"),
                      folder / "output.txt");
    ASSERT_TRUE(wait_until(milliseconds(10'000), [&] { return read_bytes(folder / "output.txt") == "ready\n"; }));
  }
  EXPECT_TRUE(std::filesystem::exists(folder / "saved"));
}

TEST(Child, IsKilledWhenItDoesNotEnd) {
  const TemporaryFolder folder;
  const auto output = [&] { return read_bytes(folder / "output.txt"); };
  {
    const Child child(shell("trap 'echo ignored' TERM; echo $$; while :; do sleep 0.01; done"), folder / "output.txt",
                      milliseconds(300));
    ASSERT_TRUE(wait_until(milliseconds(10'000), [&] { return output().ends_with('\n'); }));
  }
  const size_t line = output().find('\n');
  EXPECT_EQ(output().substr(line + 1), "ignored\n");
  EXPECT_EQ(kill(std::stoi(output().substr(0, line)), 0), -1);
  EXPECT_EQ(errno, ESRCH);
}

TEST(Child, IsAskedToEndWhenItsParentIsKilled) {
  const TemporaryFolder folder;
  const std::string script = "trap 'touch \"" + folder.path() + "/asked\"; exit' TERM; touch \"" + folder.path() +
                             "/ready\"; while :; do sleep 0.01; done";
  run_and_kill(std::chrono::microseconds(500'000), [&] {
    Child child(shell(script), folder / "output.txt");
    child.wait();
  });
  EXPECT_TRUE(wait_until(milliseconds(10'000), [&] { return std::filesystem::exists(folder / "asked"); }));
}

}  // namespace
}  // namespace bn::test
