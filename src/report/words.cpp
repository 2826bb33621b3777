#include "report/words.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "report/chart.hpp"

namespace bn::report {
namespace {

// A tenth of a point means more where little is left to gain.
int digits_at(double share) { return share >= 0.9 ? 2 : 1; }

int digits_of_points(double share) { return std::abs(share) < 0.0095 ? 2 : 1; }

std::string with_sign(double value, int digits) {
  std::string text = fmt::format("{:.{}f}", std::abs(value), digits);
  if (text.find_first_not_of("0.") == std::string::npos) return text;
  return (value < 0 ? "\u2212" : "+") + text;
}

std::string bare_ratio(double value) {
  if (value >= 9.95) return fmt::format("{:.0f}", value);
  return value >= 0.995 ? fmt::format("{:.1f}", value) : fmt::format("{:.2f}", value);
}

}  // namespace

std::string percent(double share) {
  return std::isnan(share) ? "\u2013" : fmt::format("{:.{}f}\u00a0%", 100 * share, digits_at(share));
}

std::string percent_pm(const Mean& mean) {
  if (mean.count == 0) return "\u2013";
  if (!mean.interval) return percent(mean.value);
  const double half = 100 * (mean.interval->high - mean.interval->low) / 2;
  const int digits = digits_at(mean.value);
  if (mean.interval->low < 0 || mean.interval->high > 1) {  // an accuracy is a share, a normal interval does not know
    return fmt::format("{:.{}f}\u00a0% ({:.{}f}\u00a0to\u00a0{:.{}f})", 100 * mean.value, digits,
                       100 * std::max(mean.interval->low, 0.0), digits, 100 * std::min(mean.interval->high, 1.0),
                       digits);
  }
  return fmt::format("{:.{}f}\u00a0\u00b1\u00a0{:.{}f}\u00a0%", 100 * mean.value, digits, half, digits);
}

std::string signed_points(double share) { return with_sign(100 * share, digits_of_points(share)); }

std::string points_between(const Interval& shares) {
  const int digits = std::max(digits_of_points(shares.low), digits_of_points(shares.high));
  return fmt::format("{}\u00a0to\u00a0{}", with_sign(100 * shares.low, digits), with_sign(100 * shares.high, digits));
}

std::string ratio(double value) { return bare_ratio(value) + "\u00d7"; }

std::string ratios_between(const Interval& logarithms) {
  return fmt::format("{}\u00a0to\u00a0{}", bare_ratio(std::exp(logarithms.low)), bare_ratio(std::exp(logarithms.high)));
}

std::string plural(int64_t count, const std::string& noun) {
  return fmt::format("{} {}{}", count, noun, count == 1 ? "" : "s");
}

std::string steps_in_words(const StepsToTarget& steps) {
  if (steps.runs == 0) return "\u2013";
  if (steps.geometric_mean) return with_separators(std::round(*steps.geometric_mean));
  std::string missed = fmt::format("not reached in {} of {}", steps.runs - steps.reached, steps.runs);
  if (!steps.median) return missed;
  return fmt::format("{}; median {}", missed, with_separators(std::round(*steps.median)));
}

std::string divergence_in_words(const ArmResult& result) {
  if (result.diverged_at.empty()) return "";
  const auto count = static_cast<int64_t>(result.diverged_at.size());
  const std::string first = with_separators(static_cast<double>(result.diverged_at.front()));
  const std::string last = with_separators(static_cast<double>(result.diverged_at.back()));
  return fmt::format("diverged at step {} in {} of {}", first == last ? first : first + " to " + last, count,
                     plural(result.finished + count, "seed"));
}

std::string learned_in_words(const ArmResult& result) {
  if (result.learned == 0 || result.learned == result.runs()) return "";
  return fmt::format("learned in {} of {}", result.learned, plural(result.runs(), "seed"));
}

std::string unscored_in_words(const ArmResult& result) {
  if (result.scored == result.finished) return "";
  return fmt::format("{} of {} finished without an evaluation", result.finished - result.scored,
                     plural(result.finished, "seed"));
}

std::string images_in_words(const ImageCount& images) {
  return fmt::format("{}{} images", images.is_assumed ? "an assumed " : "",
                     with_separators(static_cast<double>(images.count)));
}

std::string shortcoming_in_words(const ArmResult& result) {
  if (result.has_diverged()) return divergence_in_words(result);
  if (result.scored == 0) return "was never evaluated";
  return result.has_learned() ? "" : "did not learn";
}

std::string effect_in_words(const ArmResult& result) {
  if (const std::string shortcoming = shortcoming_in_words(result); !shortcoming.empty()) return shortcoming;
  if (result.accuracy.pairs == 0) return "no seed in which both it and the baseline finished";
  const std::string points = signed_points(result.accuracy.difference) + " points";
  if (!result.accuracy.interval)
    return fmt::format("{} ({}, no interval)", points, plural(result.accuracy.pairs, "seed"));
  return fmt::format("{} ({})", points, points_between(*result.accuracy.interval));
}

std::string speed_up_in_words(const ArmResult& result) {
  if (result.log_speed_up.pairs == 0) return "\u2013";
  const std::string times = ratio(std::exp(result.log_speed_up.difference));
  if (!result.log_speed_up.interval)
    return fmt::format("{} ({}, no interval)", times, plural(result.log_speed_up.pairs, "seed"));
  return fmt::format("{} ({})", times, ratios_between(*result.log_speed_up.interval));
}

}  // namespace bn::report
