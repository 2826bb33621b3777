// Figures by gnuplot. Each leaves its script beside it, data included, so that anyone can redraw it.
#pragma once

#include <string>
#include <string_view>

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

}  // namespace bn::report
