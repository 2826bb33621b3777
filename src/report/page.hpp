// The content of a report, in the order a reader asks: the verdict, the paper's Figures 2 and 3, effects, percentiles,
// curves, how the numbers were made, and every run.
#pragma once

#include <vector>

#include "report/document.hpp"
#include "report/gnuplot.hpp"

namespace bn::report {

struct Page {
  Document document{};
  std::vector<FigureScript> figures{};  // that the document names
};

Page make_page(const Study& study, const Analysis& analysis, const Verdict& verdict);

}  // namespace bn::report
