// Shows a person how far the evaluation is.
#pragma once

#include <chrono>
#include <cstdint>

namespace bn {

// On standard error: on a terminal one line, rewritten in place; elsewhere a line each half a minute.
class EvaluationProgress {
 public:
  EvaluationProgress();
  ~EvaluationProgress();  // clears the line
  EvaluationProgress(const EvaluationProgress&) = delete;
  EvaluationProgress& operator=(const EvaluationProgress&) = delete;

  // So many of all images are scored.
  void show(int64_t images, int64_t all);

 private:
  using Clock = std::chrono::steady_clock;

  bool terminal_;
  bool open_ = false;  // the line stands on the terminal
  Clock::time_point start_ = Clock::now(), shown_ = start_;
};

}  // namespace bn
