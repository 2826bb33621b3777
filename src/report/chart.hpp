// Figures by gnuplot, each with its script beside it, data included, so that anyone can redraw it; and line charts
// whose lines carry their names at their ends.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace bn::report {

extern const char* const kFigureStyle;  // experiments/plots/style.gp

struct FigureScript {
  std::string name{};  // the files' name
  int width = 900, height = 480;
  std::string body{};  // gnuplot commands, after the style's
};

enum class FigureFiles { kAll, kSvgAlone };

// Writes FOLDER/NAME.{gp,svg,png}, or the SVG alone. Throws UnsupportedError without gnuplot, and Error with gnuplot's
// words when it refuses the script.
void draw(const FigureScript& figure, const std::string& folder, FigureFiles files);

// A string for gnuplot that shows `text` as it is.
std::string gnuplot_quote(std::string_view text);
std::string gnuplot_tic(std::string_view text);  // the same for the label of a tic, which is a format

// Okabe and Ito's colours (told apart by every kind of sight) in turn, the first, for a baseline, in grey; when they
// have all been used, lines are dashed.
struct LineStyle {
  std::string colour{};
  int dash = 1;
};
LineStyle line_style(size_t index);

struct ChartPoint {
  double x = 0, y = 0, low = 0, high = 0;
};

enum class MarkKind { kCrossing, kDivergence };
struct Mark {
  MarkKind kind = MarkKind::kCrossing;
  double x = 0, y = 0;
  std::string label{};
};

constexpr size_t kMostBands = 8;  // more would hide each other

struct Series {
  std::string label{};
  LineStyle style{};
  std::vector<ChartPoint> points{};
  std::vector<Mark> marks{};
};

enum class Scale { kLinear, kLogarithmic };

struct LineChart {
  std::string name{};  // the files' name
  std::string x_label{}, y_label{};
  int height = 480;
  Scale y_scale = Scale::kLinear;
  std::optional<double> y_low{};   // linear; else from the data
  std::optional<double> y_most{};  // linear; no value is above it, and a flat line is drawn below it
  std::string y_format = "%g";
  std::optional<double> level{};  // a dashed line across
  std::string level_label{};
  std::vector<Series> series{};
};

FigureScript script_of(const LineChart& chart);

// Round numbers from 0 or `low` to `high`, about `count` of them.
std::vector<double> ticks(double low, double high, int count);
std::string with_separators(double count);  // "12,500", "31M"

// Moves positions apart to at least `gap`, as little as that takes, within [0, 1] where they fit; keeps their order.
std::vector<double> spread(const std::vector<double>& positions, double gap);

}  // namespace bn::report
