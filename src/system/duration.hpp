// Durations, measured and written for people.
#pragma once

#include <chrono>
#include <string>

namespace bn {

double seconds_since(std::chrono::steady_clock::time_point start);
std::string describe_duration(double seconds);  // "4:05", "1:02:03"; from two days on "3.2 days"

}  // namespace bn
