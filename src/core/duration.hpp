// Durations for people.
#pragma once

#include <string>

namespace bn {

std::string describe_duration(double seconds);  // "4:05", "1:02:03"; from two days on "3.2 days"

}  // namespace bn
