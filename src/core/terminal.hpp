// The terminal that a program writes to.
#pragma once

#include <cstdint>

namespace bn {

// The columns of the terminal that standard output is. If it is none: those that the environment variable COLUMNS
// tells, or else `otherwise`.
int64_t output_columns(int64_t otherwise);

}  // namespace bn
