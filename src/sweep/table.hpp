// The table a person watches while a sweep runs.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "bn/sweep.hpp"
#include "sweep/run_state.hpp"

namespace bn {

enum class TableScope { kAll, kRunning };

struct TableInput {
  const Sweep& sweep;
  const std::vector<RunProgress>& progress;  // each run's, as `sizes`
  const std::vector<RunSize>& sizes;
  int64_t jobs = 1;
};
// A line for each run, and one or more for the whole; none is longer than `width`.
std::string render_table(const TableInput& input, TableScope scope, size_t width);
// The rows that the text takes on a terminal of that width.
int64_t rows_taken(const std::string& text, size_t width);

// On a terminal the table is rewritten in place; elsewhere only the messages are printed.
class LiveTable {
 public:
  LiveTable();
  void show(const TableInput& input);
  void message(const std::string& text);

 private:
  void erase();

  bool terminal_;
  std::string shown_;  // the table that stands on the terminal
};

}  // namespace bn
