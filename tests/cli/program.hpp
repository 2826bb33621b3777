// The programs as a user starts them, for tests of whole command lines.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "bn/error.hpp"
#include "support/child_process.hpp"

namespace bn::test {

inline int code(ExitCode exit_code) { return static_cast<int>(exit_code); }

// bninception({"train", config, "--out", folder / "run"}).exit_code
inline std::vector<std::string> bninception_command(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), BN_PROGRAM);
  return arguments;
}
inline ProgramResult bninception(std::vector<std::string> arguments, const ProgramOptions& options = {}) {
  return run_program(bninception_command(std::move(arguments)), options);
}

// bn_data({"verify", folder}).out
inline std::vector<std::string> bn_data_command(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), BN_DATA_PROGRAM);
  return arguments;
}
inline ProgramResult bn_data(std::vector<std::string> arguments) {
  return run_program(bn_data_command(std::move(arguments)));
}

// Trains into the run folder and returns its path; the test fails when the program does.
inline std::string train(const std::string& config, const std::string& run, const std::vector<std::string>& more = {}) {
  std::vector<std::string> arguments{"train", config, "--quiet", "--out", run};
  arguments.insert(arguments.end(), more.begin(), more.end());
  const ProgramResult result = bninception(arguments);
  EXPECT_EQ(result.exit_code, 0) << result.err;
  return run;
}

}  // namespace bn::test
