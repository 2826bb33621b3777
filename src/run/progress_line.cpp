#include "run/progress_line.hpp"

#include <fmt/format.h>

#include "system/text.hpp"

namespace bn {

ProgressLine::ProgressLine(int64_t total_steps, bool quiet) : total_steps_(total_steps), quiet_(quiet) {}

void ProgressLine::show(const LogRecord& record, double seconds_left) {
  std::string line = fmt::format("step {}/{}", record.step, total_steps_);
  const bool is_evaluation = record.validation_top1.has_value();
  if (record.loss) line += fmt::format("  loss {:.4f}", *record.loss);
  if (record.train_top1) line += fmt::format("  top-1 {:.1f} %", 100 * *record.train_top1);
  if (is_evaluation) {
    line += fmt::format("  validation: loss {:.4f}  top-1 {:.2f} %  top-5 {:.2f} %", record.validation_loss.value_or(0),
                        100 * *record.validation_top1, 100 * record.validation_top5.value_or(0));
  }
  if (record.images_per_second) line += fmt::format("  {:.0f} images/s", *record.images_per_second);
  if (!is_evaluation && seconds_left >= 0) line += fmt::format("  {} left", describe_duration(seconds_left));
  print(line, is_evaluation);
}

void ProgressLine::message(const std::string& text) { print(text, true); }

void ProgressLine::show_evaluation(int64_t images, int64_t all) {
  const auto now = std::chrono::steady_clock::now();
  if (!line_.is_on_terminal() || now - shown_ < std::chrono::seconds(1)) return;
  shown_ = now;
  print(fmt::format("evaluating: {}/{} images", images, all), false);
}

void ProgressLine::print(const std::string& line, bool stays) {
  if (quiet_) return;
  stays ? line_.keep(line) : line_.show(line);
}

}  // namespace bn
