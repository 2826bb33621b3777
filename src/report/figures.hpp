// The figures of a report.
#pragma once

#include <string>
#include <vector>

#include "report/analysis.hpp"
#include "report/chart.hpp"
#include "report/study.hpp"

namespace bn::report {

// The colour of an arm in every figure: the baseline's is grey.
size_t style_index(const Study& study, size_t arm);

// Paper: Figure 2. Validation accuracy against steps, the mean over seeds in a band from the lowest to the highest, a
// point where each arm reaches the baseline's best.
FigureScript accuracy_figure(const Study& study, const Analysis& analysis);
// Paper: Figure 1 b, c for any unit: a panel an arm.
struct ProbeFigure {
  std::string op{};
  int64_t unit = 0;
  FigureScript script{};
};
std::vector<ProbeFigure> probe_figures(const Study& study);
// Differences of accuracy from the baseline, and speed-ups, with their intervals.
FigureScript effects_figure(const Study& study, const Analysis& analysis);
// A loss of one batch is mostly noise: means over sixtieths of the curve.
std::vector<Point> smooth(const std::vector<Point>& curve);
FigureScript loss_figure(const Study& study);
// The networks of each line: "bn_x5, bn_x30".
std::vector<std::string> schedule_names(const Study& study);
FigureScript learning_rate_figure(const Study& study);

}  // namespace bn::report
