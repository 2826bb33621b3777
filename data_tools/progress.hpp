#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "packing/pack.hpp"

namespace bn {

// A line on the error stream, now and then: images done, images a second, time left. Ends it when it goes.
class ProgressReport {
 public:
  explicit ProgressReport(const char* verb);
  ~ProgressReport();
  ProgressReport(const ProgressReport&) = delete;
  ProgressReport& operator=(const ProgressReport&) = delete;
  void show(const PackProgress& progress);
  void show_bytes(int64_t done, int64_t total);

 private:
  bool is_due();
  void print(const std::string& line);

  const char* verb_;
  bool on_terminal_;
  size_t shown_ = 0;  // characters of the line that stands on the terminal
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
  double last_ = 0;  // seconds from the start to the last line
};

}  // namespace bn
