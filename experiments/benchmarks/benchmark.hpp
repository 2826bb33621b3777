// What the programs share.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <exception>
#include <vector>

#include "bn/error.hpp"

namespace bn {

inline double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return (values[(values.size() - 1) / 2] + values[values.size() / 2]) / 2;
}

// What main() returns: the code of an error, which is printed.
template <class Work>
int exit_code_of(const Work& work) {
  try {
    work();
  } catch (const Error& error) {
    fmt::print(stderr, "error: {}\n", error.what());
    return static_cast<int>(error.exit_code());
  } catch (const std::exception& error) {
    fmt::print(stderr, "error: {}\n", error.what());
    return static_cast<int>(ExitCode::kFailure);
  }
  return 0;
}

}  // namespace bn
