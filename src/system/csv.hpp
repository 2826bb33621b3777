// Fields of CSV files.
#pragma once

#include <string>

namespace bn {

// The field as it is, or quoted where RFC 4180 demands it.
std::string csv_field(const std::string& text);

}  // namespace bn
