// Figures of several panels: effects with their intervals, and percentiles of a unit.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>

#include "report/chart.hpp"
#include "report/figures.hpp"
#include "report/words.hpp"

namespace bn::report {
namespace {

constexpr int kWidth = 900;

struct EffectRow {
  std::optional<double> value{};
  std::optional<Interval> interval{};
  std::string text{};  // written instead of a point, where there is no value
};

EffectRow row_of(const Comparison& comparison, double factor, std::string text) {
  EffectRow row{.text = std::move(text)};
  if (comparison.pairs > 0) row.value = factor * comparison.difference;
  if (comparison.interval)
    row.interval = Interval{factor * comparison.interval->low, factor * comparison.interval->high};
  return row;
}

std::string why_not(const ArmResult& result) {
  if (result.has_diverged()) return "diverged";
  const std::string shortcoming = shortcoming_in_words(result);
  return shortcoming.empty() ? "no seed in which both finished" : shortcoming;
}

struct Panel {
  std::vector<EffectRow> rows{};
  std::vector<std::string> names{};  // the first panel alone has them
  std::vector<LineStyle> styles{};
  std::string title{};
  double left = 0, right = 0;  // gnuplot screen coordinates
  bool is_ratio = false;       // rows are logarithms
};

// The range reaches from the lowest to the highest end of an interval, with zero inside.
std::pair<double, double> range_of(const Panel& panel) {
  double low = 0, high = 0;
  for (const EffectRow& row : panel.rows) {
    if (!row.value) continue;
    low = std::min(low, row.interval ? row.interval->low : *row.value);
    high = std::max(high, row.interval ? row.interval->high : *row.value);
  }
  if (panel.is_ratio) {
    low = std::min(low, -0.2);
    high = std::max(high, std::log(2.0));
  }
  const double margin = std::max(0.06 * (high - low), 1e-3);
  return {low - margin, high + margin};
}

std::string ratio_ticks(double low, double high) {
  std::vector<std::string> marks;
  const bool is_wide = high - low > std::log(30.0), is_narrow = high - low < std::log(10.0);
  for (int digits = -3; digits < 6; ++digits) {
    const double power = std::pow(10, digits);
    for (const double factor : {1.0, 1.5, 2.0, 3.0, 5.0}) {
      if (!is_narrow && (factor == 1.5 || factor == 3)) continue;
      if (is_wide && factor != 1 && factor * power != 0.5 && factor * power != 2 && factor * power != 5) continue;
      const double at = std::log(factor * power);
      if (at >= low && at <= high) marks.push_back(fmt::format("\"{:g}\" {:.6f}", factor * power, at));
    }
  }
  if (marks.size() < 2) {
    marks.clear();
    for (const double tick : ticks(std::exp(low), std::exp(high), 4)) {
      if (tick > 0) marks.push_back(fmt::format("\"{:g}\" {:.6f}", tick, std::log(tick)));
    }
  }
  return fmt::format("set xtics ({})\n", fmt::join(marks, ", "));
}

// Data come before the first command of a multiplot.
void add_panel(const Panel& panel, const std::string& id, std::string& data, std::string& text) {
  const auto [low, high] = range_of(panel);
  const size_t count = panel.rows.size();
  std::string points;
  for (size_t i = 0; i < count; ++i) {
    const EffectRow& row = panel.rows[i];
    const double y = static_cast<double>(count - i);
    if (!row.value) {
      text += fmt::format("set label {} at graph 0.5, first {} center textcolor rgb \"#666666\"\n",
                          gnuplot_quote(row.text), y);
      continue;
    }
    const std::string bar =
        row.interval ? fmt::format("{:.9g} {:.9g}", row.interval->low, row.interval->high) : "NaN NaN";
    points += fmt::format("{:.9g} {} {} 0x{} {}\n", *row.value, y, bar, panel.styles[i].colour.substr(1),
                          row.interval ? 7 : 6);
  }
  text += fmt::format("set title {} offset 0, -0.4\nset lmargin at screen {}\nset rmargin at screen {}\n",
                      gnuplot_quote(panel.title), panel.left, panel.right);
  text += fmt::format("set xrange [{:.9g}:{:.9g}]\nset yrange [0.4:{}]\n", low, high, static_cast<double>(count) + 0.6);
  text += panel.is_ratio ? ratio_ticks(low, high) : "set xtics autofreq\n";
  if (panel.names.empty()) {
    text += "set ytics (\"\" 1)\n";
  } else {
    std::vector<std::string> names;
    for (size_t i = 0; i < count; ++i) names.push_back(fmt::format("{} {}", gnuplot_tic(panel.names[i]), count - i));
    text += fmt::format("set ytics ({}) scale 0\n", fmt::join(names, ", "));
  }
  text += fmt::format(
      "set arrow 1 from 0, graph 0 to 0, graph 1 nohead dashtype 2 linewidth 1 linecolor rgb \"#777777\" back\n");
  if (points.empty()) {
    text += "plot NaN\n";
  } else {
    data += fmt::format("${} << EOD\n{}EOD\n", id, points);
    text += fmt::format(
        "plot ${0} using ($6 == 7 ? $1 : NaN):2:3:4:5 with xerrorbars pointtype 0 linewidth 2 linecolor rgb variable, "
        "\\\n"
        "     ${0} using 1:2:6:5 with points pointsize 1 pointtype variable linecolor rgb variable\n",
        id);
  }
  text += "unset label\n";
}

struct ProbedArm {
  std::string name{};
  LineStyle style{};
  std::vector<std::pair<int64_t, std::vector<double>>> points{};
};

std::vector<ProbedArm> probed_arms(const Study& study, const std::string& op, int64_t unit) {
  std::vector<ProbedArm> arms;
  for (size_t i = 0; i < study.arms.size(); ++i) {
    for (const Run& run : study.arms[i].runs) {
      const ProbeOptions& probe = run.config.train.probe;
      if (probe.op != op || probe.unit != unit) continue;
      ProbedArm arm{.name = study.arms[i].name, .style = line_style(style_index(study, i))};
      for (const LogRecord& record : run.rows) {
        const bool is_finite =
            std::ranges::all_of(record.percentiles, [](double value) { return std::isfinite(value); });
        if (record.percentiles.size() == 3 && is_finite) {
          arm.points.emplace_back(record.step, record.percentiles);
        }
      }
      if (arm.points.size() < 2) continue;  // it diverged at once
      arms.push_back(std::move(arm));
      break;  // the first seed's, as the paper shows one unit of one network
    }
  }
  return arms;
}

FigureScript script_of_probe(const std::vector<ProbedArm>& arms, const std::string& name) {
  const size_t columns = std::min<size_t>(arms.size(), 3), rows = (arms.size() + columns - 1) / columns;
  FigureScript script{.name = name, .width = kWidth, .height = static_cast<int>(78 + 230 * rows)};
  double low = std::numeric_limits<double>::infinity(), high = -low;
  std::string& text = script.body;
  for (size_t i = 0; i < arms.size(); ++i) {
    text += fmt::format("$probe_{} << EOD\n", i);
    for (const auto& [step, percentiles] : arms[i].points) {
      text += fmt::format("{} {:.6g} {:.6g} {:.6g}\n", step, percentiles[0], percentiles[1], percentiles[2]);
      low = std::min(low, percentiles[0]);
      high = std::max(high, percentiles[2]);
    }
    text += "EOD\n";
  }
  const double margin = std::max(0.05 * (high - low), 1e-3);
  text += fmt::format(
      "set yrange [{:.6g}:{:.6g}]\nset multiplot layout {},{} margins 0.085, 0.985, {:.3f}, {:.3f} spacing 0.05, "
      "{:.3f}\n",
      low - margin, high + margin, rows, columns, 66.0 / script.height, 1 - 28.0 / script.height, 70.0 / script.height);
  for (size_t i = 0; i < arms.size(); ++i) {
    const double last = static_cast<double>(arms[i].points.back().first);
    std::vector<std::string> marks;
    for (const double tick : ticks(0, last, 3))
      marks.push_back(fmt::format("\"{}\" {:.9g}", with_separators(tick), tick));
    text += fmt::format("set title {} offset 0, -0.5\nset xtics ({})\nset xrange [0:{}]\n", gnuplot_quote(arms[i].name),
                        fmt::join(marks, ", "), std::max(last, 1.0));
    text += i % columns == 0 ? "set ylabel 'input' offset 1, 0\n" : "unset ylabel\n";
    text += i + columns >= arms.size() ? "set xlabel 'training steps' offset 0, 0.4\n" : "unset xlabel\n";
    text += fmt::format(
        "plot $probe_{0} using 1:2:4 with filledcurves fillstyle transparent solid 0.15 noborder linecolor rgb "
        "\"{1}\", \\\n"
        "     for [column in \"2 4\"] $probe_{0} using 1:(column(int(column))) with lines linewidth 1 linecolor rgb "
        "\"{1}\", \\\n"
        "     $probe_{0} using 1:3 with lines linewidth 2 linecolor rgb \"{1}\"\n",
        i, arms[i].style.colour);
  }
  text += "unset multiplot\n";
  return script;
}

}  // namespace

FigureScript effects_figure(const Study& study, const Analysis& analysis) {
  Panel accuracy{.title = "best accuracy, percentage points"};
  Panel speed{.title = "times fewer steps to the best of " + study.arms[study.baseline].name, .is_ratio = true};
  size_t longest = 0;
  for (size_t arm = 0; arm < study.arms.size(); ++arm) {
    if (arm == study.baseline) continue;
    const ArmResult& result = analysis.arms[arm];
    accuracy.rows.push_back(row_of(result.accuracy, 100, why_not(result)));
    const StepsToTarget& steps = result.steps;
    speed.rows.push_back(
        row_of(result.log_speed_up, 1,
               steps.runs > 0 ? fmt::format("not reached in {} of {}", steps.runs - steps.reached, steps.runs) : ""));
    accuracy.names.push_back(study.arms[arm].name);
    accuracy.styles.push_back(line_style(style_index(study, arm)));
    longest = std::max(longest, study.arms[arm].name.size());
  }
  speed.styles = accuracy.styles;
  accuracy.left = std::min(0.4, 0.02 + 7.6 * static_cast<double>(longest) / kWidth);
  accuracy.right = accuracy.left + (0.98 - accuracy.left) * 0.48;
  speed.left = accuracy.right + 0.04;
  speed.right = 0.98;
  FigureScript script{.name = "effects", .width = kWidth, .height = static_cast<int>(80 + 30 * accuracy.rows.size())};
  std::string panels = fmt::format(
      "set border 1\nset tmargin at screen {:.4f}\nset bmargin at screen {:.4f}\n"
      "unset grid\nset grid xtics linetype 1 linecolor \"#E4E4E4\" linewidth 1\nset multiplot\n",
      1 - 32.0 / script.height, 34.0 / script.height);
  add_panel(accuracy, "accuracy", script.body, panels);
  add_panel(speed, "speed", script.body, panels);
  script.body += panels + "unset multiplot\n";
  return script;
}

std::vector<ProbeFigure> probe_figures(const Study& study) {
  std::vector<ProbeFigure> figures;
  for (const Arm& arm : study.arms) {
    for (const Run& run : arm.runs) {
      const ProbeOptions& probe = run.config.train.probe;
      const auto is_known = [&](const ProbeFigure& figure) {
        return figure.op == probe.op && figure.unit == probe.unit;
      };
      if (probe.op.empty() || std::ranges::any_of(figures, is_known)) continue;
      const std::vector<ProbedArm> arms = probed_arms(study, probe.op, probe.unit);
      if (arms.empty()) continue;
      figures.push_back({.op = probe.op,
                         .unit = probe.unit,
                         .script = script_of_probe(arms, fmt::format("probe_{}", figures.size() + 1))});
    }
  }
  return figures;
}

}  // namespace bn::report
