#include "sweep/table.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "system/terminal.hpp"
#include "system/text.hpp"

namespace bn {
namespace {

std::string percent(const std::optional<double>& fraction) {
  return fraction ? fmt::format("{:.2f} %", 100 * *fraction) : "-";
}

// Seconds a step of the run takes; where it has not begun, as the mean of the others.
double mean_seconds_per_step(const TableInput& input) {
  double sum = 0;
  int64_t known = 0;
  for (const RunProgress& progress : input.progress) {
    sum += progress.seconds_per_step.value_or(0);
    known += progress.seconds_per_step ? 1 : 0;
  }
  return known > 0 ? sum / static_cast<double>(known) : 0;
}

double seconds_left(const TableInput& input, size_t i, double fallback) {
  const RunProgress& progress = input.progress[i];
  const int64_t steps = std::max<int64_t>(0, input.sizes[i].steps - progress.step);
  return static_cast<double>(steps) * progress.seconds_per_step.value_or(fallback);
}

// The start of a text that fits, if every character takes one column; a name's control characters are not the
// terminal's business.
std::string fitted(std::string text, size_t width) {
  std::ranges::replace_if(
      text, [](char c) { return static_cast<unsigned char>(c) < ' ' || c == '\x7F'; }, '?');
  if (count_characters(text) <= width) return text;
  while (!text.empty() && count_characters(text) >= width) text.pop_back();
  while (!text.empty() && is_following(text.back())) text.pop_back();
  return text + "~";
}

enum class Column { kArm, kSeed, kState, kStep, kTop1, kBest, kTimeLeft };

using Cells = std::vector<std::string>;  // one for each column

Cells cells_of(const TableInput& input, size_t i) {
  const SweepRun& run = input.sweep.runs[i];
  const RunProgress& progress = input.progress[i];
  const bool running = run.state == RunState::kRunning;
  return {fitted(run.arm, std::string::npos),
          fmt::format("{}", run.config.train.seed),
          run.same_as ? "(as above)" : name_of(run.state),
          fmt::format("{}/{}", progress.step, input.sizes[i].steps),
          percent(progress.top1),
          percent(progress.best_top1),
          running && progress.seconds_per_step ? describe_duration(seconds_left(input, i, 0)) : "-"};
}

// The columns that are shown, and how wide each is.
struct Layout {
  std::vector<Column> columns{};
  std::vector<size_t> widths{};  // one for each column

  size_t width() const {
    size_t sum = 0;
    for (const Column column : columns) sum += widths[static_cast<size_t>(column)] + 2;
    return sum - 2;
  }
};

// Where there is no room, names are cut, and the columns that matter least are left out first.
Layout lay_out(const std::vector<Cells>& rows, size_t most) {
  constexpr size_t kShortName = 12;
  Layout layout{.columns = {Column::kArm, Column::kSeed, Column::kState, Column::kStep, Column::kTop1, Column::kBest,
                            Column::kTimeLeft}};
  for (size_t column = 0; column < layout.columns.size(); ++column) {
    size_t width = 0;
    for (const Cells& row : rows) width = std::max(width, count_characters(row[column]));
    layout.widths.push_back(width);
  }
  size_t& name = layout.widths[static_cast<size_t>(Column::kArm)];
  const auto shorten_name = [&](size_t least) {
    const size_t excess = layout.width() > most ? layout.width() - most : 0;
    name = std::max(std::min(name, least), name > excess ? name - excess : 0);
  };
  shorten_name(kShortName);
  for (const Column column : {Column::kTop1, Column::kTimeLeft, Column::kStep, Column::kBest}) {
    if (layout.width() > most) std::erase(layout.columns, column);
  }
  shorten_name(1);
  return layout;
}

std::string line_of(const Cells& cells, const Layout& layout, size_t most) {
  std::string line;
  for (const Column column : layout.columns) {
    const bool is_text = column == Column::kArm || column == Column::kState;
    const size_t width = layout.widths[static_cast<size_t>(column)];
    const std::string cell = fitted(cells[static_cast<size_t>(column)], width),
                      space(width - count_characters(cell), ' ');
    if (!line.empty()) line += "  ";
    line += is_text ? cell + space : space + cell;
  }
  return fitted(line, most) + "\n";
}

std::string summary_of(const TableInput& input) {
  int64_t counts[6] = {};
  double left = 0;
  const double fallback = mean_seconds_per_step(input);
  for (size_t i = 0; i < input.sweep.runs.size(); ++i) {
    const SweepRun& run = input.sweep.runs[i];
    if (run.same_as) continue;
    ++counts[static_cast<int>(run.state)];
    if (run.state == RunState::kPending || run.state == RunState::kRunning) left += seconds_left(input, i, fallback);
  }
  std::string line = fmt::format("{}:", input.sweep.name);
  for (int state = 0; state < 6; ++state) {
    if (counts[state] > 0) line += fmt::format(" {} {},", counts[state], name_of(static_cast<RunState>(state)));
  }
  line.pop_back();
  if (left > 0) line += fmt::format("; about {} left", describe_duration(left / static_cast<double>(input.jobs)));
  return fitted(line, std::string::npos);
}

}  // namespace

std::string render_table(const TableInput& input, TableScope scope, size_t width) {
  std::vector<Cells> rows{{"arm", "seed", "state", "step", "top-1", "best", "time left"}};
  for (size_t i = 0; i < input.sweep.runs.size(); ++i) {
    if (scope == TableScope::kAll || input.sweep.runs[i].state == RunState::kRunning)
      rows.push_back(cells_of(input, i));
  }
  const Layout layout = lay_out(rows, width);
  std::string text;
  for (const Cells& cells : rows) text += line_of(cells, layout, width);
  return text + wrap(summary_of(input), width) + "\n";
}

int64_t rows_taken(const std::string& text, size_t width) {
  size_t rows = 0;
  for (size_t begin = 0, end = 0; (end = text.find('\n', begin)) != std::string::npos; begin = end + 1) {
    rows += std::max<size_t>(1, (count_characters(text.substr(begin, end - begin)) + width - 1) / width);
  }
  return static_cast<int64_t>(rows);
}

LiveTable::LiveTable() : terminal_(isatty(STDERR_FILENO) == 1) {}

// The terminal may have become narrower since the table was drawn, and have broken its lines.
void LiveTable::erase() {
  if (!shown_.empty()) steer_terminal(fmt::format("\033[{}A\033[J", rows_taken(shown_, error_terminal().columns)));
  shown_.clear();
}

void LiveTable::show(const TableInput& input) {
  if (!terminal_) return;
  const TerminalSize size = error_terminal();
  const bool all_fit = input.sweep.runs.size() + 4 < size.rows;
  erase();
  shown_ = render_table(input, all_fit ? TableScope::kAll : TableScope::kRunning, size.columns);
  tell(shown_);
  std::fflush(stderr);
}

void LiveTable::message(const std::string& text) {
  erase();
  tell(text + "\n");
  std::fflush(stderr);
}

}  // namespace bn
