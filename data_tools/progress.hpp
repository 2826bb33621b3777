#pragma once

#include <chrono>
#include <cstdint>

#include "packing/pack.hpp"
#include "system/terminal.hpp"

namespace bn {

// A line on the error stream, now and then: images done, images a second, time left. Ends it when it goes.
class ProgressReport {
 public:
  explicit ProgressReport(const char* verb) : verb_(verb) {}
  void show(const PackProgress& progress);
  void show_bytes(int64_t done, int64_t total);

 private:
  bool is_due();

  const char* verb_;
  LiveLine line_;
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
  double last_ = 0;  // seconds from the start to the last line
};

}  // namespace bn
