#include "progress.hpp"

#include <fmt/format.h>

#include "system/text.hpp"

namespace bn {

bool ProgressReport::is_due() {
  const double interval = line_.is_on_terminal() ? 0.5 : 10;
  const double time = seconds_since(start_);
  if (time - last_ < interval) return false;
  last_ = time;
  return true;
}

void ProgressReport::show(const PackProgress& progress) {
  if (!is_due()) return;
  const double rate = static_cast<double>(progress.images - progress.found) / last_;
  const double left = rate > 0 ? static_cast<double>(progress.total - progress.images) / rate : 0;
  line_.show(fmt::format("{} {} of {} images, {:.0f} images/s, {} left", verb_, progress.images, progress.total, rate,
                         describe_duration(left)));
}

void ProgressReport::show_bytes(int64_t done, int64_t total) {
  if (!is_due()) return;
  const double rate = static_cast<double>(done) / last_;
  line_.show(fmt::format("{} {:.1f} of {:.1f} GB, {:.0f} MB/s, {} left", verb_, static_cast<double>(done) / 1e9,
                         static_cast<double>(total) / 1e9, rate / 1e6,
                         describe_duration(static_cast<double>(total - done) / rate)));
}

}  // namespace bn
