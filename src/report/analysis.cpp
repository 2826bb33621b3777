#include "report/analysis.hpp"

#include <algorithm>
#include <boost/math/distributions/binomial.hpp>
#include <cmath>
#include <limits>

namespace bn::report {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
double median_of(std::vector<double> values) {
  std::ranges::sort(values);
  const size_t middle = values.size() / 2;
  return values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

ArmResult count_runs(const Arm& arm, const Analysis& analysis) {
  ArmResult result;
  int64_t evaluations = 0;
  for (const Run& run : arm.runs) {
    evaluations += static_cast<int64_t>(curve_of(run, &LogRecord::validation_top1).size());
  }
  result.least_learned = least_learned(analysis.chance, analysis.images.count, evaluations);
  std::vector<double> rates;  // whole, as a kept study has them
  for (const Run& run : arm.runs) {
    const std::optional<Point> best = best_accuracy(run);
    if (run.end == RunEnd::kFinished) {
      ++result.finished;
      if (best) ++result.scored;
    } else {
      result.diverged_at.push_back(run.end_step);
    }
    if (best && best->value > result.least_learned) ++result.learned;
    if (const std::optional<double> rate = images_per_second(run)) rates.push_back(std::round(*rate));
  }
  std::ranges::sort(result.diverged_at);
  if (!rates.empty()) result.images_per_second = median_of(rates);
  return result;
}

// [arm][seed]: the best accuracy of runs that finished. What a diverged run had reached before is no result: the
// luckier ones diverge later.
SeedTable best_accuracies(const Study& study) {
  const std::vector<uint64_t> seeds = study.seeds();
  SeedTable table;
  for (const Arm& arm : study.arms) {
    std::vector<double>& row = table.emplace_back();
    for (const uint64_t seed : seeds) {
      const Run* run = arm.find(seed);
      const std::optional<Point> best =
          run != nullptr && run->end == RunEnd::kFinished ? best_accuracy(*run) : std::nullopt;
      row.push_back(best ? best->value : kNaN);
    }
  }
  return table;
}

// A network that sits at chance hardly varies and would make all intervals too narrow.
std::vector<size_t> comparable_arms(const Analysis& analysis) {
  std::vector<size_t> arms;
  for (size_t i = 0; i < analysis.arms.size(); ++i) {
    if (analysis.arms[i].is_comparable()) arms.push_back(i);
  }
  return arms;
}

void compare_accuracies(const Study& study, Analysis& analysis) {
  const SeedTable all = best_accuracies(study);
  const std::vector<size_t> arms = comparable_arms(analysis);
  SeedTable learned;
  for (const size_t arm : arms) learned.push_back(all[arm]);
  std::vector<Mean> own;
  for (const std::vector<double>& row : all) own.push_back(estimate_means({row}).front());
  const std::vector<Mean> pooled = estimate_means(learned);
  // Networks that did not learn do not share the others' variance.
  for (size_t i = 0; i < all.size(); ++i) analysis.arms[i].best_accuracy = own[i];
  for (size_t i = 0; i < arms.size(); ++i) analysis.arms[arms[i]].best_accuracy = pooled[i];
  const auto baseline = std::ranges::find(arms, study.baseline);
  if (baseline == arms.end()) return;
  const std::vector<Comparison> comparisons =
      compare_with_baseline(learned, static_cast<size_t>(baseline - arms.begin()));
  for (size_t i = 0; i < arms.size(); ++i) {
    analysis.arms[arms[i]].accuracy = comparisons[i];
  }
}

void set_targets(const Study& study, Analysis& analysis) {
  if (!analysis.arms[study.baseline].is_comparable()) return;
  double sum = 0;
  for (const Run& run : study.arms[study.baseline].runs) {
    const std::optional<Point> best = best_accuracy(run);
    // Every network is at chance from the start.
    if (run.end != RunEnd::kFinished || !best || best->value <= analysis.chance) continue;
    analysis.targets[run.seed] = *best;
    sum += best->value;
  }
  if (!analysis.targets.empty()) analysis.mean_target = sum / static_cast<double>(analysis.targets.size());
}

// Steps of each run that has a target; infinity: never.
std::vector<double> count_steps(const Study& study, size_t arm, const Analysis& analysis, StepsToTarget& result) {
  std::vector<double> steps;
  for (const Run& run : study.arms[arm].runs) {
    const auto target = analysis.targets.find(run.seed);
    if (target == analysis.targets.end()) continue;
    ++result.runs;
    std::optional<double> step =
        step_reaching(curve_of(run, &LogRecord::validation_top1), target->second.value, analysis.chance);
    if (arm == study.baseline) step = static_cast<double>(target->second.step);
    if (step) ++result.reached;
    steps.push_back(step.value_or(std::numeric_limits<double>::infinity()));
  }
  if (2 * result.reached > result.runs) result.median = median_of(steps);
  if (result.median && std::isinf(*result.median)) result.median.reset();
  return steps;
}

void compare_speeds(const Study& study, Analysis& analysis) {
  SeedTable log_ratios;
  std::vector<size_t> arms;
  for (size_t i = 0; i < study.arms.size(); ++i) {
    StepsToTarget& result = analysis.arms[i].steps;
    const std::vector<double> steps = count_steps(study, i, analysis, result);
    if (result.runs == 0 || result.reached < result.runs) continue;
    double log_sum = 0;
    for (const double step : steps) log_sum += std::log(step);
    result.geometric_mean = std::exp(log_sum / static_cast<double>(result.runs));
    if (i == study.baseline) continue;
    arms.push_back(i);
    std::vector<double>& row = log_ratios.emplace_back();
    auto step = steps.begin();
    for (const auto& [seed, target] : analysis.targets) {
      const bool is_pair = study.arms[i].find(seed) != nullptr;
      row.push_back(is_pair ? std::log(static_cast<double>(target.step) / *step++) : kNaN);
    }
  }
  const std::vector<Comparison> comparisons = compare_ratios(log_ratios);
  for (size_t i = 0; i < arms.size(); ++i) {
    ArmResult& arm = analysis.arms[arms[i]];
    arm.log_speed_up = comparisons[i];
    if (arm.accuracy.outcome == Outcome::kIndistinguishable || arm.accuracy.outcome == Outcome::kUnknown) {
      arm.log_speed_up.interval.reset();
      arm.log_speed_up.outcome = arm.accuracy.outcome;
    }
  }
}

}  // namespace

std::optional<double> step_reaching(const std::vector<Point>& curve, double target, double start) {
  Point before{.step = 0, .value = std::min(start, target)};
  for (const Point& point : curve) {
    if (point.value >= target) {
      const double rise = point.value - before.value;
      const double share = rise > 0 ? (target - before.value) / rise : 1;
      return static_cast<double>(before.step) + share * static_cast<double>(point.step - before.step);
    }
    before = point;
  }
  return std::nullopt;
}

Comparison compare_accuracy(const Study& study, const Analysis& analysis, size_t arm, size_t with) {
  const SeedTable all = best_accuracies(study);
  SeedTable table;
  size_t reference = 0, row = 0;
  for (const size_t comparable : comparable_arms(analysis)) {
    if (comparable == with) reference = table.size();
    if (comparable == arm) row = table.size();
    table.push_back(all[comparable]);
  }
  return compare_with_baseline(table, reference)[row];
}

double least_learned(double chance, int64_t images, int64_t evaluations) {
  using boost::math::complement;
  const double error = 0.05 / static_cast<double>(std::max<int64_t>(evaluations, 1));
  const boost::math::binomial_distribution<double> guesses(static_cast<double>(images), chance);
  // The quantile is rounded to a count that leaves at most `error` above it.
  return quantile(complement(guesses, error)) / static_cast<double>(images);
}

ImageCount count_validation_images(const Study& study) {
  if (study.validation_images > 0) return {.count = study.validation_images};
  const DataOptions& data = study.arms[study.baseline].config().data;
  if (data.kind == DatasetKind::kShapes) return {.count = data.shapes.validation_images};
  std::vector<double> accuracies;
  for (const Run* run : study.runs()) {
    for (const Point& point : curve_of(*run, &LogRecord::validation_top1)) accuracies.push_back(point.value);
  }
  constexpr int64_t kLeast = 100, kMost = 1'000'000;
  const auto are_shares_of = [&](int64_t images) {
    return std::ranges::all_of(accuracies, [&](double accuracy) {
      constexpr double kRounding = 1e-12;
      const double count = accuracy * static_cast<double>(images);
      return std::abs(count - std::round(count)) < kRounding * static_cast<double>(images);
    });
  };
  int64_t images = kLeast;
  while (images < kMost && !are_shares_of(images)) ++images;
  return {.count = images, .is_assumed = true};
}

Analysis analyse(const Study& study) {
  const Config& config = study.arms[study.baseline].config();
  // A network that always names the class with most images has the share of that class.
  Analysis analysis{.chance = std::max(1.0 / static_cast<double>(config.model.classes), study.majority),
                    .images = count_validation_images(study)};
  for (const Arm& arm : study.arms) analysis.arms.push_back(count_runs(arm, analysis));
  compare_accuracies(study, analysis);
  set_targets(study, analysis);
  compare_speeds(study, analysis);
  return analysis;
}

}  // namespace bn::report
