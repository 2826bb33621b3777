#include "commands/evaluation_progress.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>

#include "core/duration.hpp"
#include "core/messages.hpp"

namespace bn {

EvaluationProgress::EvaluationProgress() : terminal_(isatty(STDERR_FILENO) == 1) {}

EvaluationProgress::~EvaluationProgress() {
  if (open_) tell("\r\033[K");
}

void EvaluationProgress::show(int64_t images, int64_t all) {
  using std::chrono::seconds;
  const Clock::time_point now = Clock::now();
  if (images == 0 || now - shown_ < (terminal_ ? seconds(1) : seconds(30))) return;
  shown_ = now;
  const double rate = static_cast<double>(images) / std::chrono::duration<double>(now - start_).count();
  const std::string line = fmt::format("{}/{} images  {:.{}f} images/s  {} left", images, all, rate, rate < 10 ? 1 : 0,
                                       describe_duration(static_cast<double>(all - images) / rate));
  tell(terminal_ ? "\r\033[K" + line : line + "\n");
  std::fflush(stderr);
  open_ = terminal_;
}

}  // namespace bn
