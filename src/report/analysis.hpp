// The runs' results as numbers: for each arm its best accuracy, its steps to the baseline's best, and its comparison
// with the baseline.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "report/statistics.hpp"
#include "report/study.hpp"

namespace bn::report {

// Paper: sec. 4.2.2 counts the steps to the accuracy that Inception reaches at its best. Here the target of a run is
// the best of the baseline's run with the same seed. A run that never gets there has no number of steps, not a large
// one.
struct StepsToTarget {
  int64_t runs = 0;                        // runs that have a target
  int64_t reached = 0;                     // those of them that reached it
  std::optional<double> geometric_mean{};  // present when all did
  // Counts a run that did not reach it as later than any; present when more than half did.
  std::optional<double> median{};
};

struct ArmResult {
  int64_t finished = 0;
  int64_t scored = 0;                  // of these, the runs that have an evaluation
  std::vector<int64_t> diverged_at{};  // steps, ascending
  int64_t learned = 0;                 // runs whose best accuracy is above `least_learned`
  double least_learned = 0;            // guesses reach more in few studies: see least_learned()
  Mean best_accuracy{};                // over finished runs
  Comparison accuracy{};               // its difference from the baseline's best
  StepsToTarget steps{};
  // ln(baseline's steps / this arm's); pairs only when all runs reached the target. An interval only where the accuracy
  // differs too: the target is the highest of the baseline's noisy evaluations, so an arm that is no different from the
  // baseline gets there by chance, and mostly sooner.
  Comparison log_speed_up{};
  std::optional<double> images_per_second{};  // median over runs

  int64_t runs() const { return finished + static_cast<int64_t>(diverged_at.size()); }
  bool has_learned() const { return learned > 0; }
  bool has_diverged() const { return finished == 0 && !diverged_at.empty(); }
  bool is_comparable() const { return scored > 0 && has_learned(); }
};

struct ImageCount {
  int64_t count = 0;
  bool is_assumed = false;  // nothing records it
};

struct Analysis {
  double chance = 0;                    // the accuracy of a guess: of the class with most images
  ImageCount images{};                  // that accuracies are shares of
  std::map<uint64_t, Point> targets{};  // the baseline's best, by seed
  std::optional<double> mean_target{};  // their mean over seeds
  std::vector<ArmResult> arms{};        // in the study's order
};

// The accuracy that the best of so many evaluations over `images` does not exceed in 95 % of cases where each image is
// guessed: the binomial distribution's quantile, with Bonferroni's correction.
double least_learned(double chance, int64_t images, int64_t evaluations);
// The count is what the runs recorded, or what generated images have. Else it is assumed: the smallest from 100 on of
// which all accuracies are shares.
ImageCount count_validation_images(const Study& study);
Analysis analyse(const Study& study);

// The best accuracies of one arm over another's, by the variance of all arms that learned; the interval holds together
// with those of the others against `with`, but not with those against the baseline as well.
Comparison compare_accuracy(const Study& study, const Analysis& analysis, size_t arm, size_t with);

// The step at which the line between evaluations, which begins at (0, start), first reaches the target; nullopt when it
// never does.
std::optional<double> step_reaching(const std::vector<Point>& curve, double target, double start);

}  // namespace bn::report
