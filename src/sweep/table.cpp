#include "sweep/table.hpp"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "core/duration.hpp"
#include "core/messages.hpp"

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

std::string line_of(const TableInput& input, size_t i, size_t arm_width) {
  const SweepRun& run = input.sweep.runs[i];
  const RunProgress& progress = input.progress[i];
  const bool running = run.state == RunState::kRunning;
  return fmt::format("{:<{}}  {:>6}  {:<11}  {:>21}  {:>9}  {:>9}  {:>10}\n", run.arm, arm_width, run.config.train.seed,
                     run.same_as ? "(as above)" : name_of(run.state),
                     fmt::format("{}/{}", progress.step, input.sizes[i].steps), percent(progress.top1),
                     percent(progress.best_top1),
                     running && progress.seconds_per_step ? describe_duration(seconds_left(input, i, 0)) : "-");
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
  return line + "\n";
}

int terminal_rows() {
  winsize size{};
  return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row > 0 ? size.ws_row : 24;
}

}  // namespace

std::string render_table(const TableInput& input, TableScope scope) {
  size_t arm_width = 3;
  for (const SweepRun& run : input.sweep.runs) arm_width = std::max(arm_width, run.arm.size());
  std::string text = fmt::format("{:<{}}  {:>6}  {:<11}  {:>21}  {:>9}  {:>9}  {:>10}\n", "arm", arm_width, "seed",
                                 "state", "step", "top-1", "best", "time left");
  for (size_t i = 0; i < input.sweep.runs.size(); ++i) {
    if (scope == TableScope::kAll || input.sweep.runs[i].state == RunState::kRunning) {
      text += line_of(input, i, arm_width);
    }
  }
  return text + summary_of(input);
}

LiveTable::LiveTable() : terminal_(isatty(STDERR_FILENO) == 1) {}

void LiveTable::erase() {
  if (lines_ > 0) tell(fmt::format("\033[{}A\033[J", lines_));
  lines_ = 0;
}

void LiveTable::show(const TableInput& input) {
  if (!terminal_) return;
  const bool all_fit = static_cast<int>(input.sweep.runs.size()) + 4 < terminal_rows();
  const std::string text = render_table(input, all_fit ? TableScope::kAll : TableScope::kRunning);
  erase();
  std::fputs(text.c_str(), stderr);
  std::fflush(stderr);
  lines_ = static_cast<int>(std::count(text.begin(), text.end(), '\n'));
}

void LiveTable::message(const std::string& text) {
  erase();
  tell(text + "\n");
  std::fflush(stderr);
}

}  // namespace bn
