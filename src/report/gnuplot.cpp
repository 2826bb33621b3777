#include "report/chart.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <filesystem>
#include <utility>
#include <vector>

#include "bn/error.hpp"
#include "system/child.hpp"
#include "system/files.hpp"

namespace bn::report {
namespace {

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
