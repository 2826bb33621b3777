#include "report/chart.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <limits>
#include <numeric>
#include <utility>

#include "bn/error.hpp"
#include "system/child.hpp"
#include "system/files.hpp"

namespace bn::report {
namespace {

constexpr int kWidth = 900;
constexpr double kCharacter = 7.4, kLine = 17;  // points, for 14-point type
constexpr double kTop = 0.04;

struct Box {
  double x_high = 1, y_low = 0, y_high = 1;
  double bottom = 0.12, left = 0.1, right = 0.8;  // edges of the plot, on the screen
};

Box box_of(const LineChart& chart) {
  Box box{.x_high = 0, .y_low = std::numeric_limits<double>::infinity(), .y_high = -box.y_low};
  size_t longest = std::max<size_t>(4, chart.level_label.size());
  const auto take_in = [&](double x, double low, double high) {
    box.x_high = std::max(box.x_high, x);
    box.y_low = std::min(box.y_low, low);
    box.y_high = std::max(box.y_high, high);
  };
  for (const Series& series : chart.series) {
    longest = std::max(longest, series.label.size());
    for (const ChartPoint& point : series.points) take_in(point.x, point.low, point.high);
    for (const Mark& mark : series.marks) take_in(mark.x, mark.y, mark.y);
  }
  if (box.x_high <= 0) box.x_high = 1;
  const bool is_log = chart.y_scale == Scale::kLogarithmic;
  if (box.y_low > box.y_high) box.y_low = box.y_high = is_log ? 1 : 0;
  box.y_low = chart.y_low.value_or(box.y_low);
  if (box.y_high <= box.y_low) {
    box.y_high = is_log ? box.y_low * 2 : box.y_low + 1;
    if (is_log) box.y_low /= 2;
    if (chart.y_most && box.y_high > *chart.y_most) {
      box.y_high = *chart.y_most;
      box.y_low = std::min(box.y_low, box.y_high - 1);
    }
  } else if (is_log) {
    box.y_low /= 1.15;
    box.y_high *= 1.15;
  }
  box.bottom = 66.0 / chart.height;
  box.right = 1 - std::min(0.35, (kCharacter * static_cast<double>(longest) + 24) / kWidth);
  return box;
}

double height_in(const LineChart& chart, const Box& box, double y) {
  if (chart.y_scale == Scale::kLogarithmic) return std::log(y / box.y_low) / std::log(box.y_high / box.y_low);
  return (y - box.y_low) / (box.y_high - box.y_low);
}

void add_data(const LineChart& chart, std::string& text) {
  for (size_t i = 0; i < chart.series.size(); ++i) {
    const Series& series = chart.series[i];
    if (!series.points.empty()) {
      text += fmt::format("$line_{} << EOD\n", i);
      for (const ChartPoint& point : series.points) {
        text += fmt::format("{:.9g} {:.9g} {:.9g} {:.9g}\n", point.x, point.y, point.low, point.high);
      }
      text += "EOD\n";
    }
    for (const MarkKind kind : {MarkKind::kCrossing, MarkKind::kDivergence}) {
      std::string rows;
      for (const Mark& mark : series.marks) {
        if (mark.kind == kind) rows += fmt::format("{:.9g} {:.9g}\n", mark.x, mark.y);
      }
      if (!rows.empty()) {
        text += fmt::format("${}_{} << EOD\n{}EOD\n", kind == MarkKind::kCrossing ? "crossing" : "divergence", i, rows);
      }
    }
  }
}

// The end of a line, in the plot from 0 to 1, and the text that stands there.
struct EndLabel {
  std::string text{}, colour{};
  double x = 0, y = 0;
  bool has_leader = true;
};

std::vector<EndLabel> end_labels(const LineChart& chart, const Box& box) {
  std::vector<EndLabel> labels;
  if (chart.level && !chart.level_label.empty()) {
    labels.push_back({chart.level_label, "#777777", 1, height_in(chart, box, *chart.level)});
  }
  for (const Series& series : chart.series) {
    if (series.points.empty() && series.marks.empty()) continue;
    const bool has_line = !series.points.empty();
    const double x = has_line ? series.points.back().x : series.marks.back().x;
    const double y = has_line ? series.points.back().y : series.marks.back().y;
    EndLabel label{series.label, series.style.colour, x / box.x_high, std::clamp(height_in(chart, box, y), 0.0, 1.0)};
    // Among the first steps all lines meet. The name of a line that ends there stands at the right with the others.
    constexpr double kEarly = 0.3;
    if (label.x < kEarly) {
      label.x = 1;
      label.has_leader = false;
    }
    labels.push_back(std::move(label));
  }
  std::ranges::stable_sort(labels, [](const EndLabel& a, const EndLabel& b) { return a.x > b.x; });
  return labels;
}

// Names that end near each other share a column and are moved apart; a thin line leads to one that had to move.
void add_end_labels(const LineChart& chart, const Box& box, std::string& text) {
  const std::vector<EndLabel> ends = end_labels(chart, box);
  const double gap = kLine / (chart.height * (1 - kTop - box.bottom));
  constexpr double kColumn = 0.15;
  for (size_t begin = 0, end = 0; begin < ends.size(); begin = end) {
    do ++end;
    while (end < ends.size() && ends[begin].x - ends[end].x < kColumn);
    std::vector<double> positions;
    for (size_t i = begin; i < end; ++i) positions.push_back(ends[i].y);
    const std::vector<double> moved = spread(positions, gap);
    const double column = ends[begin].x;
    for (size_t i = begin; i < end; ++i) {
      const double y = moved[i - begin];
      const bool is_led = std::abs(y - ends[i].y) > gap / 4 || column - ends[i].x > 0.01;
      if (is_led && ends[i].has_leader) {
        text += fmt::format(
            "set arrow from graph {:.4f}, graph {:.4f} to graph {:.4f}, graph {:.4f} nohead linewidth 0.6 linecolor "
            "rgb \"{}\"\n",
            ends[i].x, ends[i].y, column + 0.014, y, ends[i].colour);
      }
      text += fmt::format("set label {} at graph {:.4f}, graph {:.4f} left textcolor rgb \"{}\"\n",
                          gnuplot_quote(ends[i].text), column + 0.018, y, ends[i].colour);
    }
  }
}

// Writes the labels of the marked points: above each, or beside and below it where it would run into another. A label
// is left out where both places are taken.
void add_mark_labels(const LineChart& chart, const Box& box, std::string& text) {
  struct Place {
    const char* position;
    std::vector<std::pair<double, double>> taken{};  // from, to, on the screen
  };
  Place places[] = {{"center offset 0, 0.9"}, {"left offset 0.9, -0.6"}};
  for (const Series& series : chart.series) {
    for (const Mark& mark : series.marks) {
      if (mark.label.empty()) continue;
      const double half = kCharacter * static_cast<double>(mark.label.size()) / kWidth / 2;
      const double x = box.left + mark.x / box.x_high * (box.right - box.left);
      const auto collides = [&](const auto& other) { return x - half < other.second && x + half > other.first; };
      for (Place& place : places) {
        if (std::ranges::any_of(place.taken, collides)) continue;
        place.taken.emplace_back(x - half, x + half);
        text += fmt::format("set label {} at {:.9g}, {:.9g} {} front textcolor rgb \"{}\"\n", gnuplot_quote(mark.label),
                            mark.x, mark.y, place.position, series.style.colour);
        break;
      }
    }
  }
}

// Labels of round numbers; a logarithmic axis over less than two decades has some within them.
std::string axis_ticks(const std::vector<double>& values, std::string (*word)(double)) {
  std::vector<std::string> marks;
  for (const double value : values) marks.push_back(fmt::format("\"{}\" {:.9g}", word(value), value));
  return fmt::format("({})", fmt::join(marks, ", "));
}

std::vector<double> logarithmic_ticks(double low, double high) {
  const bool is_narrow = high / low < 100;
  std::vector<double> values;
  const auto decade_of = [](double value) { return static_cast<int>(std::floor(std::log10(value))); };
  constexpr int kMostDecades = 10;
  const int first = decade_of(low), last = decade_of(high), stride = 1 + (last - first) / kMostDecades;
  for (int decade = first; decade <= last; decade += stride) {
    for (const double factor : {1, 2, 5}) {
      const double value = factor * std::pow(10, decade);
      if ((factor == 1 || is_narrow) && value >= low && value <= high) values.push_back(value);
    }
  }
  if (values.size() < 2) return ticks(low, high, 4);
  return values;
}

void add_axes(const LineChart& chart, const Box& box, std::string& text) {
  text += fmt::format(
      "set lmargin at screen {:.4f}\nset rmargin at screen {:.4f}\nset tmargin at screen {:.4f}\n"
      "set bmargin at screen {:.4f}\n",
      box.left, box.right, 1 - kTop, box.bottom);
  text += fmt::format("set xrange [0:{:.9g}]\nset yrange [{:.9g}:{:.9g}]\n", box.x_high, box.y_low, box.y_high);
  if (chart.y_scale == Scale::kLogarithmic) {
    const auto word = [](double value) { return fmt::format("{:g}", value); };
    text += "set logscale y\nset ytics " + axis_ticks(logarithmic_ticks(box.y_low, box.y_high), word) + "\n";
  }
  text += fmt::format("set xtics {}\nset format y \"{}\"\nset xlabel {} offset 0, 0.4\nset ylabel {} offset 0.5, 0\n",
                      axis_ticks(ticks(0, box.x_high, 6), with_separators), chart.y_format,
                      gnuplot_quote(chart.x_label), gnuplot_quote(chart.y_label));
}

void add_points(const Series& series, size_t index, MarkKind kind, std::vector<std::string>& parts) {
  const auto is_of_kind = [&](const Mark& mark) { return mark.kind == kind; };
  if (std::ranges::none_of(series.marks, is_of_kind)) return;
  const bool is_crossing = kind == MarkKind::kCrossing;  // a disc, else a cross
  parts.push_back(
      fmt::format("${}_{} using 1:2 with points pointtype {} pointsize 0.9 linewidth 1.5 linecolor rgb \"{}\"",
                  is_crossing ? "crossing" : "divergence", index, is_crossing ? 7 : 2, series.style.colour));
}

void add_plot(const LineChart& chart, std::string& text) {
  std::vector<std::string> parts;
  if (chart.level)
    parts.push_back(fmt::format("{:.9g} with lines dashtype 2 linewidth 1 linecolor rgb \"#777777\"", *chart.level));
  for (size_t i = 0; i < chart.series.size(); ++i) {
    if (chart.series[i].points.empty() || chart.series.size() > kMostBands) continue;
    parts.push_back(fmt::format(
        "$line_{} using 1:3:4 with filledcurves fillstyle transparent solid 0.18 noborder linecolor rgb \"{}\"", i,
        chart.series[i].style.colour));
  }
  for (size_t i = 0; i < chart.series.size(); ++i) {
    const Series& series = chart.series[i];
    if (!series.points.empty()) {
      parts.push_back(fmt::format("$line_{} using 1:2 with lines linewidth 2 dashtype {} linecolor rgb \"{}\"", i,
                                  series.style.dash, series.style.colour));
    }
    add_points(series, i, MarkKind::kCrossing, parts);
    add_points(series, i, MarkKind::kDivergence, parts);
  }
  if (parts.empty()) parts.emplace_back("NaN");
  text += fmt::format("plot {}\n", fmt::join(parts, ", \\\n     "));
}

// --- gnuplot

struct Ended {
  int status = 0;
  std::string words{};
};

Ended run(const std::vector<std::string>& command) {
  const ChildOutput output;
  Ended ended;
  try {
    ended.status = Child(command, output.path()).wait();
  } catch (const UnsupportedError& error) {
    throw UnsupportedError(
        fmt::format("figures are drawn by gnuplot: {}; Debian's package is gnuplot-nox", error.what()));
  }
  ended.words = output.text();
  return ended;
}

// gnuplot names each part of a drawing after its commands, which browsers show and readers of screens read out.
void remove_titles(const std::string& path) {
  std::string text;
  read_file(path, text);
  for (const auto& [begin, end] : {std::pair{"<title>", "</title>"}, {"<desc>", "</desc>"}}) {
    for (size_t from = 0; (from = text.find(begin, from)) != std::string::npos;) {
      const size_t to = text.find(end, from);
      if (to == std::string::npos) break;
      text.erase(from, to + std::string_view(end).size() - from);
    }
  }
  write_file(path, text);
}

}  // namespace

LineStyle line_style(size_t index) {
  static const char* const kColours[] = {"#555555", "#0072B2", "#D55E00", "#009E73", "#AA4499",
                                         "#B8860B", "#3D9BD1", "#882255", "#44AA99", "#000000"};
  constexpr size_t kCount = std::size(kColours);
  constexpr int kDashes[] = {1, 2, 4};
  return {.colour = kColours[index % kCount], .dash = kDashes[index / kCount % std::size(kDashes)]};
}

std::vector<double> ticks(double low, double high, int count) {
  if (!(high > low)) return {low};
  const double rough = (high - low) / count;
  const double power = std::pow(10, std::floor(std::log10(rough)));
  double step = 10 * power;
  for (const double factor : {1, 2, 5}) {
    if (factor * power >= rough * 0.999) {
      step = factor * power;
      break;
    }
  }
  std::vector<double> values;
  const double first = std::ceil(low / step);
  for (int i = 0; i <= count + 1 && (first + i) * step <= high * (1 + 1e-9); ++i) values.push_back((first + i) * step);
  return values;
}

std::string with_separators(double count) {
  if (count >= 1e6) return fmt::format("{:g}M", count / 1e6);
  std::string digits = fmt::format("{:.0f}", count);
  for (auto position = static_cast<std::ptrdiff_t>(digits.size()) - 3; position > 0; position -= 3) {
    digits.insert(static_cast<size_t>(position), ",");
  }
  return digits;
}

std::vector<double> spread(const std::vector<double>& positions, double gap) {
  std::vector<size_t> order(positions.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::ranges::stable_sort(order, [&](size_t a, size_t b) { return positions[a] < positions[b]; });
  // Names that touch form a block around the mean of where they want to be; blocks that touch merge.
  struct Block {
    double centre;
    size_t size;
  };
  std::vector<Block> blocks;
  const auto half = [&](const Block& block) { return gap * static_cast<double>(block.size) / 2; };
  const auto place = [&](Block& block) {
    const double room = std::max(0.5, 1 - half(block) + gap / 2);
    block.centre = std::clamp(block.centre, 1 - room, room);
  };
  for (const size_t i : order) {
    blocks.push_back({positions[i], 1});
    while (blocks.size() > 1) {
      const Block last = blocks.back();
      Block& before = blocks[blocks.size() - 2];
      if (last.centre - half(last) >= before.centre + half(before) - 1e-12) break;
      const double a = static_cast<double>(before.size), b = static_cast<double>(last.size);
      before = {(before.centre * a + last.centre * b) / (a + b), before.size + last.size};
      place(before);
      blocks.pop_back();
    }
  }
  std::vector<double> moved(positions.size());
  size_t next = 0;
  for (const Block& block : blocks) {
    for (size_t i = 0; i < block.size; ++i) {
      moved[order[next++]] = block.centre - half(block) + gap * (static_cast<double>(i) + 0.5);
    }
  }
  return moved;
}

FigureScript script_of(const LineChart& chart) {
  const Box box = box_of(chart);
  FigureScript script{.name = chart.name, .width = kWidth, .height = chart.height};
  add_data(chart, script.body);
  add_axes(chart, box, script.body);
  add_mark_labels(chart, box, script.body);
  add_end_labels(chart, box, script.body);
  add_plot(chart, script.body);
  return script;
}

void draw(const FigureScript& figure, const std::string& folder, FigureFiles files) {
  // gnuplot takes a name that begins with "|" for a command.
  const std::string path = (std::filesystem::path(".") / folder / figure.name).string();
  write_file(path + ".gp",
             fmt::format("# usage: gnuplot -c {}.gp svg|png FILE\n"
                         "format = ARG1; file = ARG2; width = {}; height = {}\n{}\nset termoption noenhanced\n{}",
                         figure.name, figure.width, figure.height, kFigureStyle, figure.body));
  for (const std::string format : {"svg", "png"}) {
    if (files == FigureFiles::kSvgAlone && format != "svg") continue;
    const Ended gnuplot = run({"gnuplot", "-d", "-c", path + ".gp", format, fmt::format("{}.{}", path, format)});
    if (gnuplot.status != 0) {
      throw Error(ExitCode::kFailure, fmt::format("gnuplot could not draw {}.gp:\n{}", path, gnuplot.words));
    }
    if (format == "svg") remove_titles(path + ".svg");
  }
  if (files == FigureFiles::kSvgAlone) unlink((path + ".gp").c_str());
}

// Between single quotes only they themselves mean something; draw() turns off the markup of _ and ^.
std::string gnuplot_quote(std::string_view text) {
  std::string quoted = "'";
  for (const char c : text) {
    if (c == '\'') quoted += '\'';
    if (c != '\n') quoted += c;
  }
  return quoted + "'";
}

std::string gnuplot_tic(std::string_view text) {
  std::string format;
  for (const char c : text) format += c == '%' ? std::string("%%") : std::string(1, c);
  return gnuplot_quote(format);
}

}  // namespace bn::report
