// SIGKILL at random moments, then --resume: the bits of a run that was never stopped.
#include <gtest/gtest.h>
#include <signal.h>

#include <chrono>
#include <filesystem>
#include <thread>

#include "cli/program.hpp"
#include "faults/campaign.hpp"

namespace bn::test {
namespace {

using Clock = std::chrono::steady_clock;

const std::vector<std::vector<std::string>>& configurations() {
  static const std::vector<std::vector<std::string>> kAll{
      {"train.average=polyak"},
      {"train.statistics=population", "train.statistics_batches=3"},
      {"model.normalization=none", "train.momentum_kind=nesterov", "train.l2=0.001", "train.l2_scope=all"},
      {"model.dropout=0.3", "data.workers=2", "data.augment.random_crop=true", "data.augment.interpolation=random"},
      {"train.learning_rate.shape=smooth", "data.shuffle=none", "train.keep_checkpoints=1", "train.checkpoint_every=1"},
      {"train.statistics=population", "train.statistics_batches=2", "train.average=polyak", "model.activation=sigmoid",
       "data.workers=0"}};
  return kAll;
}

// Kills up to `kills` processes of one run, lets it end, and compares it; returns how many were killed while they ran.
int64_t kill_and_compare(const Experiment& experiment, int64_t kills, Clock::duration patience,
                         const std::map<std::string, std::string>& reference, std::mt19937_64& random) {
  std::filesystem::remove_all(experiment / "run");
  int64_t killed = 0;
  for (int64_t i = 0; i < kills; ++i) {
    RunningProgram program(experiment.resume("run"));
    std::this_thread::sleep_for(patience * (random() % 1000) / 1000);
    if (program.has_ended()) break;
    program.signal(SIGKILL);
    program.wait();
    ++killed;
  }
  const ProgramResult last = run_program(experiment.resume("run"));
  EXPECT_EQ(last.exit_code, 0) << last.err;
  EXPECT_TRUE(experiment.result("run") == reference);
  return killed;
}

TEST(Kills, ThenResumingGivesTheSameBits) {
  std::mt19937_64 random(first_seed());
  Tally tally("SIGKILL");
  constexpr int64_t kKillsOfARun = 6;
  const int64_t all = trials(6);
  int64_t done = 0;
  std::vector<std::unique_ptr<Experiment>> experiments;
  std::vector<std::map<std::string, std::string>> references;
  std::vector<Clock::duration> times;
  for (const auto& overrides : configurations()) {
    experiments.push_back(std::make_unique<Experiment>(overrides));
    const auto start = Clock::now();
    const ProgramResult result = run_program(experiments.back()->train("reference"));
    times.push_back(Clock::now() - start);
    ASSERT_EQ(result.exit_code, 0) << result.err;
    references.push_back(experiments.back()->result("reference"));
  }
  for (size_t i = 0; done < all && !testing::Test::HasFailure(); i = (i + 1) % experiments.size()) {
    const int64_t wanted = std::min(all < kKillsOfARun * 6 ? 1 : kKillsOfARun, all - done);
    const int64_t killed = kill_and_compare(*experiments[i], wanted, times[i], references[i], random);
    for (int64_t k = 0; k < killed; ++k) tally.add("killed and resumed");
    done += std::max<int64_t>(killed, all < 20 ? 1 : 0);
  }
}

// A sweep whose scheduler is killed: the same command goes on to the same runs.
TEST(KilledSweeps, GoOnToTheSameRuns) {
  const Experiment experiment;
  write_bytes(experiment / "sweep.yaml",
              "name: killed\nconfigs: [experiment.yaml, {config: experiment.yaml, arm: plain, set: "
              "{model.normalization: none}}]\nseeds: [1, 2]\n");
  const auto sweep = [&](const std::string& out) {
    return bninception_command({"sweep", experiment / "sweep.yaml", "--out", experiment / out, "--jobs", "2"});
  };
  const std::vector<std::string> runs{"experiment/seed_1", "experiment/seed_2", "plain/seed_1", "plain/seed_2"};
  const auto start = Clock::now();
  ASSERT_EQ(run_program(sweep("reference")).exit_code, 0);
  const auto whole = Clock::now() - start;
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
