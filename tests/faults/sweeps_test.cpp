// A sweep whose scheduler is killed: the same command goes on to the same runs.
#include <gtest/gtest.h>
#include <signal.h>

#include <chrono>
#include <filesystem>
#include <thread>

#include "cli/program.hpp"
#include "faults/campaign.hpp"

namespace bn::test {
namespace {

TEST(KilledSweeps, GoOnToTheSameRuns) {
  const Experiment experiment;
  write_bytes(experiment / "sweep.yaml",
              "name: killed\nconfigs: [experiment.yaml, {config: experiment.yaml, arm: plain, set: "
              "{model.normalization: none}}]\nseeds: [1, 2]\n");
  const auto sweep = [&](const std::string& out) {
    return bninception_command({"sweep", experiment / "sweep.yaml", "--out", experiment / out, "--jobs", "2"});
  };
  const std::vector<std::string> runs{"experiment/seed_1", "experiment/seed_2", "plain/seed_1", "plain/seed_2"};
  const auto start = std::chrono::steady_clock::now();
  ASSERT_EQ(run_program(sweep("reference")).exit_code, 0);
  const auto whole = std::chrono::steady_clock::now() - start;
  std::mt19937_64 random(first_seed());
  Tally tally("killed sweeps");
  for (int64_t i = 0, all = trials(2); i < all;) {
    std::filesystem::remove_all(experiment / "swept");
    for (int64_t k = 0; k < 3 && i < all; ++k, ++i) {
      RunningProgram program(sweep("swept"));
      std::this_thread::sleep_for(whole * (random() % 1000) / 1000);
      tally.add(program.has_ended() ? "ended before the kill" : "killed");
      program.signal(SIGKILL);
      program.wait();
    }
    const ProgramResult last = run_program(sweep("swept"));
    EXPECT_EQ(last.exit_code, 0) << last.err;
    for (const std::string& run : runs) {
      EXPECT_TRUE(experiment.result("swept/" + run) == experiment.result("reference/" + run)) << run;
    }
  }
}

}  // namespace
}  // namespace bn::test
