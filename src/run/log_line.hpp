// A line of a run's log.
#pragma once

#include <string_view>

#include "bn/run_log.hpp"

namespace bn {

// Throws std::exception, which tells what is wrong with a line that is no record.
LogRecord parse_log_line(std::string_view line);

}  // namespace bn
