#include "report/figures.hpp"

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <optional>

#include "report/words.hpp"

namespace bn::report {
namespace {

// The runs that make a curve: those that finished, or the longest when none did.
std::vector<const Run*> drawn_runs(const Arm& arm) {
  std::vector<const Run*> runs;
  for (const Run& run : arm.runs) {
    if (run.end == RunEnd::kFinished) runs.push_back(&run);
  }
  if (!runs.empty()) return runs;
  return {&*std::ranges::max_element(arm.runs, [](const Run& a, const Run& b) { return a.last_step < b.last_step; })};
}

// Mean, lowest and highest at the steps that all curves have.
std::vector<ChartPoint> summarise(const std::vector<std::vector<Point>>& curves, double factor) {
  struct Sum {
    size_t count = 0;
    ChartPoint point{};
  };
  std::map<int64_t, Sum> sums;
  for (const auto& curve : curves) {
    for (const Point& point : curve) {
      Sum& sum = sums[point.step];
      const double value = factor * point.value;
      sum.point.low = sum.count == 0 ? value : std::min(sum.point.low, value);
      sum.point.high = sum.count == 0 ? value : std::max(sum.point.high, value);
      sum.point.y += value;
      ++sum.count;
    }
  }
  std::vector<ChartPoint> points;
  for (auto& [step, sum] : sums) {
    if (sum.count != curves.size()) continue;
    sum.point.x = static_cast<double>(step);
    sum.point.y /= static_cast<double>(sum.count);
    points.push_back(sum.point);
  }
  return points;
}

using Curve = std::vector<Point>;

Series series_of(const Study& study, size_t arm, double factor, const std::function<Curve(const Run&)>& curve) {
  std::vector<Curve> curves;
  for (const Run* run : drawn_runs(study.arms[arm])) {
    if (Curve points = curve(*run); !points.empty()) curves.push_back(std::move(points));
  }
  return {
      .label = study.arms[arm].name, .style = line_style(style_index(study, arm)), .points = summarise(curves, factor)};
}

// On a logarithmic axis. A value so small is no measurement, and its logarithm may not be finite.
Series logarithmic_series_of(const Study& study, size_t arm, const std::function<Curve(const Run&)>& curve) {
  constexpr double kSmallest = 1e-30;
  Series series = series_of(study, arm, 1, curve);
  std::erase_if(series.points, [](const ChartPoint& point) { return point.low < kSmallest; });
  return series;
}

void mark_divergences(const Study& study, size_t arm, const Analysis& analysis, Series& series) {
  const ArmResult& result = analysis.arms[arm];
  for (const Run& run : study.arms[arm].runs) {
    if (run.end != RunEnd::kDiverged) continue;
    const std::vector<Point> curve = curve_of(run, &LogRecord::validation_top1);
    const double last = curve.empty() ? analysis.chance : curve.back().value;
    series.marks.push_back({.kind = MarkKind::kDivergence, .x = static_cast<double>(run.end_step), .y = 100 * last});
  }
  if (result.has_diverged()) series.label = "\u00d7 " + series.label;
}

// The height of the line between the points of a curve; nullopt beyond its ends.
std::optional<double> height_at(const std::vector<ChartPoint>& curve, double x) {
  for (size_t i = 1; i < curve.size(); ++i) {
    const ChartPoint &before = curve[i - 1], &after = curve[i];
    if (x < before.x || x > after.x) continue;
    return before.y + (after.y - before.y) * (x - before.x) / (after.x - before.x);
  }
  return std::nullopt;
}

// Where little happens below, the axis need not begin at zero.
double lowest_of_interest(const std::vector<Series>& series) {
  double low = 100, high = 0, last = 0;
  for (const Series& one : series) {
    for (const ChartPoint& point : one.points) last = std::max(last, point.x);
  }
  for (const Series& one : series) {
    for (const ChartPoint& point : one.points) {
      high = std::max(high, point.high);
      if (point.x >= 0.1 * last) low = std::min(low, point.low);
    }
    for (const Mark& mark : one.marks) low = std::min(low, mark.y);
  }
  if (low < 0.6 * high) return 0;
  const std::vector<double> marks = ticks(0, low - 0.05 * (high - low), 20);
  return marks.empty() ? 0 : marks.back();
}

}  // namespace

size_t style_index(const Study& study, size_t arm) {
  if (arm == study.baseline) return 0;
  return arm < study.baseline ? arm + 1 : arm;
}

FigureScript accuracy_figure(const Study& study, const Analysis& analysis) {
  LineChart chart{.name = "accuracy",
                  .x_label = "training steps",
                  .y_label = "validation accuracy",
                  .height = 500,
                  .y_format = "%g %%",
                  .level_label = "best of " + study.arms[study.baseline].name};
  if (analysis.mean_target) chart.level = 100 * *analysis.mean_target;
  for (size_t arm = 0; arm < study.arms.size(); ++arm) {
    Series series =
        series_of(study, arm, 100, [](const Run& run) { return curve_of(run, &LogRecord::validation_top1); });
    const ArmResult& result = analysis.arms[arm];
    if (result.steps.geometric_mean && chart.level) {
      std::string label;
      if (arm != study.baseline && result.log_speed_up.pairs > 0)
        label = ratio(std::exp(result.log_speed_up.difference));
      const double step = *result.steps.geometric_mean;
      series.marks.push_back({.kind = MarkKind::kCrossing,
                              .x = step,
                              .y = height_at(series.points, step).value_or(*chart.level),
                              .label = label});
    }
    mark_divergences(study, arm, analysis, series);
    chart.series.push_back(std::move(series));
  }
  chart.y_low = lowest_of_interest(chart.series);
  return script_of(chart);
}

FigureScript loss_figure(const Study& study) {
  LineChart chart{.name = "loss",
                  .x_label = "training steps",
                  .y_label = "training loss",
                  .height = 380,
                  .y_scale = Scale::kLogarithmic};
  for (size_t arm = 0; arm < study.arms.size(); ++arm) {
    chart.series.push_back(
        logarithmic_series_of(study, arm, [](const Run& run) { return smooth(curve_of(run, &LogRecord::loss)); }));
  }
  return script_of(chart);
}

std::vector<Point> smooth(const std::vector<Point>& curve) {
  constexpr size_t kPoints = 60;
  const size_t stretch = (curve.size() + kPoints - 1) / kPoints;
  std::vector<Point> means;
  for (size_t begin = 0; begin < curve.size(); begin += stretch) {
    const size_t end = std::min(begin + stretch, curve.size());
    double sum = 0;
    for (size_t i = begin; i < end; ++i) sum += curve[i].value;
    means.push_back({curve[end - 1].step, sum / static_cast<double>(end - begin)});
  }
  return means;
}

// Arms of one schedule share a line, as far as each went.
std::vector<Series> schedules(const Study& study) {
  std::vector<Series> all;
  for (size_t arm = 0; arm < study.arms.size(); ++arm) {
    Series series =
        logarithmic_series_of(study, arm, [](const Run& run) { return curve_of(run, &LogRecord::learning_rate); });
    if (series.points.empty()) continue;  // diverged at once
    const auto is_same = [&](const Series& other) {
      const auto count = static_cast<std::ptrdiff_t>(std::min(series.points.size(), other.points.size()));
      return std::equal(series.points.begin(), series.points.begin() + count, other.points.begin(),
                        [](const ChartPoint& a, const ChartPoint& b) { return a.x == b.x && a.y == b.y; });
    };
    const auto same = std::ranges::find_if(all, is_same);
    if (same == all.end()) {
      all.push_back(std::move(series));
    } else {
      same->label += ", " + series.label;
      if (series.points.size() > same->points.size()) same->points = std::move(series.points);
    }
  }
  return all;
}

std::vector<std::string> schedule_names(const Study& study) {
  std::vector<std::string> names;
  for (const Series& series : schedules(study)) names.push_back(series.label);
  return names;
}

FigureScript learning_rate_figure(const Study& study) {
  LineChart chart{.name = "learning_rate",
                  .x_label = "training steps",
                  .y_label = "learning rate",
                  .height = 320,
                  .y_scale = Scale::kLogarithmic,
                  .series = schedules(study)};
  constexpr size_t kLongest = 34;
  for (Series& series : chart.series) {
    if (series.label.size() <= kLongest) continue;
    const size_t cut = series.label.rfind(", ", kLongest);
    if (cut != std::string::npos) series.label = series.label.substr(0, cut) + ", ...";
  }
  return script_of(chart);
}

}  // namespace bn::report
