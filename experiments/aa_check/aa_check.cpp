// How often the report claims a difference where there is none: sweeps are drawn from the runs of one network, which
// differ in their seed alone, as if they were runs of several arms. Any claim is then false.
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <exception>
#include <random>
#include <vector>

#include "report/analysis.hpp"
#include "report/study.hpp"

namespace {

using bn::report::Analysis;
using bn::report::ArmResult;
using bn::report::Comparison;
using bn::report::Outcome;
using bn::report::Run;
using bn::report::Study;

constexpr int kSweeps = 2000;

bool is_claim(const Comparison& comparison) {
  return comparison.outcome == Outcome::kHigher || comparison.outcome == Outcome::kLower;
}

Study draw_sweep(const std::vector<Run>& runs, size_t arms, size_t seeds, std::mt19937_64& random) {
  std::vector<const Run*> drawn;
  for (const Run& run : runs) drawn.push_back(&run);
  Study study{.name = "drawn"};
  for (size_t arm = 0; arm < arms; ++arm) {
    study.arms.push_back({.name = fmt::format("arm {}", arm)});
    for (uint64_t seed = 1; seed <= seeds; ++seed) {
      // The first steps of a shuffle: without replacement.
      const size_t next = arm * seeds + static_cast<size_t>(seed) - 1;
      std::swap(drawn[next], drawn[next + random() % (drawn.size() - next)]);
      study.arms.back().runs.push_back(*drawn[next]);
      study.arms.back().runs.back().seed = seed;
    }
  }
  return study;
}

// One line of the table: shares of sweeps with a false claim.
void check_design(const std::vector<Run>& runs, size_t arms, size_t seeds) {
  std::mt19937_64 random(1);
  int accuracy = 0, speed = 0, speed_compared = 0;
  for (int i = 0; i < kSweeps; ++i) {
    const Analysis analysis = bn::report::analyse(draw_sweep(runs, arms, seeds, random));
    const auto& results = analysis.arms;
    accuracy +=
        std::any_of(results.begin(), results.end(), [](const ArmResult& arm) { return is_claim(arm.accuracy); });
    speed +=
        std::any_of(results.begin(), results.end(), [](const ArmResult& arm) { return is_claim(arm.log_speed_up); });
    speed_compared += std::any_of(results.begin(), results.end(),
                                  [](const ArmResult& arm) { return arm.log_speed_up.interval.has_value(); });
  }
  const auto share = [](int count) { return 100.0 * count / kSweeps; };
  std::printf("| %zu | %zu | %.1f %% | %.1f %% | %.1f %% |\n", arms, seeds, share(accuracy), share(speed),
              share(speed_compared));
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: aa_check SWEEP\n");
    return 2;
  }
  try {
    const Study study = bn::report::read_study({argv[1]}, "");
    const std::vector<Run>& runs = study.arms.front().runs;
    constexpr size_t kMostRuns = 35;  // limit that the designs below need
    if (study.arms.size() != 1 || runs.size() < 2 * kMostRuns) {
      std::fprintf(stderr, "error: %s must hold one arm with at least %zu runs that have ended\n", argv[1],
                   2 * kMostRuns);
      return 4;
    }
    std::printf("%zu runs of one network; %d sweeps drawn for each line\n\n", runs.size(), kSweeps);
    std::printf("| arms | seeds | false claim about accuracy | about steps | an interval of steps was given |\n");
    std::printf("|---|---|---|---|---|\n");
    for (const auto& [arms, seeds] : {std::pair<size_t, size_t>{2, 5}, {4, 3}, {4, 5}, {3, 10}, {7, 3}, {7, 5}}) {
      check_design(runs, arms, seeds);
    }
  } catch (const std::exception& error) {
    std::fprintf(stderr, "error: %s\n", error.what());
    return 1;
  }
  return 0;
}
