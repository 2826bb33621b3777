#include "commands/schedule_chart.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>
#include <vector>

namespace bn {
namespace {

constexpr int64_t kRows = 12;
constexpr int64_t kLabel = 9;  // characters of a rate beside the chart

double epoch_of(int64_t step, const RunLength& length) {
  return static_cast<double>(step) / static_cast<double>(length.steps_per_epoch);
}

// The rate of each column's first step, so that the chart begins with the run.
std::vector<double> sample(const LearningRateOptions& options, const RunLength& length, int64_t count) {
  std::vector<double> rates;
  for (int64_t i = 0; i < count; ++i) rates.push_back(learning_rate(options, i * length.steps / count, length));
  return rates;
}

// "0" at the left, the epochs of the run at the right, and a unit between them.
std::string axis_labels(const RunLength& length, int64_t width) {
  const std::string last = fmt::format("{:.4g}", epoch_of(length.steps, length));
  const int64_t between = width - 1 - static_cast<int64_t>(last.size());
  return fmt::format("{:>{}}{:^{}}{}\n", "0", kLabel + 3, "epochs", between, last);
}

// The first and the last step, the first one after the warm-up, and quarters of the run: enough to check by hand.
std::string table(const LearningRateOptions& options, const RunLength& length) {
  const double warmup = options.warmup_epochs * static_cast<double>(length.steps_per_epoch);
  const int64_t last = length.steps - 1, warm = std::min(static_cast<int64_t>(std::ceil(warmup)), last);
  const std::set<int64_t> steps{0, warm, length.steps / 4, length.steps / 2, length.steps * 3 / 4, last};
  std::string text = fmt::format("{:>12} {:>9} {:>12}\n", "step", "epoch", "rate");
  for (const int64_t step : steps) {
    text +=
        fmt::format("{:>12} {:>9.2f} {:>12.4g}\n", step, epoch_of(step, length), learning_rate(options, step, length));
  }
  return text;
}

}  // namespace

std::string schedule_chart(const LearningRateOptions& options, const RunLength& length, int64_t columns) {
  const int64_t width = std::clamp<int64_t>(columns - kLabel - 2, 10, 200);
  const std::vector<double> rates = sample(options, length, std::min(width, length.steps));
  const double highest = *std::max_element(rates.begin(), rates.end());
  std::string text = fmt::format("{} steps, {} an epoch\n", length.steps, length.steps_per_epoch);
  for (int64_t row = kRows; row > 0; --row) {
    const bool is_labelled = row == kRows || row == kRows / 2;
    const double level = highest * static_cast<double>(row) / kRows;
    std::string line = is_labelled ? fmt::format("{:>{}.3g} |", level, kLabel) : fmt::format("{:>{}} |", "", kLabel);
    for (int64_t column = 0; column < width; ++column) {
      const double rate = rates[static_cast<size_t>(column * static_cast<int64_t>(rates.size()) / width)];
      line += std::lround(rate / highest * kRows) >= row ? '#' : ' ';
    }
    text += line.substr(0, line.find_last_not_of(' ') + 1) + "\n";
  }
  text += fmt::format("{:>{}} +{:-<{}}\n", 0, kLabel, "", width);
  return text + axis_labels(length, width) + table(options, length);
}

}  // namespace bn
