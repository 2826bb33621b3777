#include "progress.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>

#include "system/terminal.hpp"
#include "system/text.hpp"

namespace bn {

ProgressReport::ProgressReport(const char* verb) : verb_(verb), on_terminal_(isatty(STDERR_FILENO) != 0) {}

ProgressReport::~ProgressReport() {
  if (shown_ > 0 && on_terminal_) std::fputc('\n', stderr);
}

bool ProgressReport::is_due() {
  const double interval = on_terminal_ ? 0.5 : 10;
  const double time = seconds_since(start_);
  if (time - last_ < interval) return false;
  last_ = time;
  return true;
}

void ProgressReport::print(const std::string& line) {
  if (on_terminal_) {
    const std::string row = one_row(line);
    std::fprintf(stderr, "%s%s", erasing(shown_, error_columns()).c_str(), row.c_str());
    shown_ = row.size();
  } else {
    std::fprintf(stderr, "%s\n", line.c_str());
  }
  std::fflush(stderr);
}

void ProgressReport::show(const PackProgress& progress) {
  if (!is_due()) return;
  const double rate = static_cast<double>(progress.images - progress.found) / last_;
  const double left = rate > 0 ? static_cast<double>(progress.total - progress.images) / rate : 0;
  print(fmt::format("{} {} of {} images, {:.0f} images/s, {} left", verb_, progress.images, progress.total, rate,
                    describe_duration(left)));
}

void ProgressReport::show_bytes(int64_t done, int64_t total) {
  if (!is_due()) return;
  const double rate = static_cast<double>(done) / last_;
  print(fmt::format("{} {:.1f} of {:.1f} GB, {:.0f} MB/s, {} left", verb_, static_cast<double>(done) / 1e9,
                    static_cast<double>(total) / 1e9, rate / 1e6,
                    describe_duration(static_cast<double>(total - done) / rate)));
}

}  // namespace bn
