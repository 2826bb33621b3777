// The line a person watches: rewritten in place on a terminal, plain lines when piped.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "bn/run_log.hpp"
#include "system/terminal.hpp"

namespace bn {

class ProgressLine {
 public:
  ProgressLine(int64_t total_steps, bool quiet);

  // A train or evaluate record. seconds_left < 0: unknown.
  void show(const LogRecord& record, double seconds_left);
  void message(const std::string& text);
  // Shows how far an evaluation is, on a terminal only.
  void show_evaluation(int64_t images, int64_t all);

 private:
  void print(const std::string& line, bool stays);

  int64_t total_steps_;
  bool quiet_;
  LiveLine line_;
  std::chrono::steady_clock::time_point shown_{};  // show_evaluation()'s line
};

}  // namespace bn
