// The programs as a user starts them, for tests of whole command lines.
#pragma once

#include <gtest/gtest.h>

#include <sstream>
#include <string>
#include <vector>

#include "bn/error.hpp"
#include "support/child_process.hpp"

namespace bn::test {

inline int code(ExitCode exit_code) { return static_cast<int>(exit_code); }

using Words = std::vector<std::string>;
inline Words joined(Words words, const Words& more) {
  words.insert(words.end(), more.begin(), more.end());
  return words;
}
// {"--set", key, "--set", key ...}
inline Words set(const Words& keys) {
  Words words;
  for (const std::string& key : keys) words.insert(words.end(), {"--set", key});
  return words;
}

inline Words lines_of(const std::string& text) {
  Words lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

// The rows of a CSV text, of which no field is quoted.
inline std::vector<Words> rows_of(const std::string& text) {
  std::vector<Words> rows;
  for (const std::string& line : lines_of(text)) {
    std::istringstream fields(line);
    rows.emplace_back();
    for (std::string field; std::getline(fields, field, ',');) rows.back().push_back(field);
  }
  return rows;
}

// bninception({"train", config, "--out", folder / "run"}).exit_code
inline Words bninception_command(const Words& arguments) { return joined({BN_PROGRAM}, arguments); }
inline ProgramResult bninception(const Words& arguments, const ProgramOptions& options = {}) {
  return run_program(bninception_command(arguments), options);
}
// What the program prints; the test fails when the program does.
inline std::string output_of(const Words& arguments, const ProgramOptions& options = {}) {
  const ProgramResult result = bninception(arguments, options);
  EXPECT_EQ(result.exit_code, 0) << result.err;
  return result.out;
}
// What it writes to the error stream as it ends with this exit code.
inline std::string error_of(int exit_code, const Words& arguments, const ProgramOptions& options = {}) {
  const ProgramResult result = bninception(arguments, options);
  EXPECT_EQ(result.exit_code, exit_code) << result.err;
  return result.err;
}
inline std::string error_of(ExitCode exit_code, const Words& arguments, const ProgramOptions& options = {}) {
  return error_of(code(exit_code), arguments, options);
}

// bn_data({"verify", folder}).out
inline Words bn_data_command(const Words& arguments) { return joined({BN_DATA_PROGRAM}, arguments); }
inline ProgramResult bn_data(const Words& arguments) { return run_program(bn_data_command(arguments)); }
// FOLDER/train and FOLDER/validation: ten classes of PNG files of so many pixels each way.
inline void write_shapes(const std::string& folder, int size, int images, int validation_images) {
  const ProgramResult result =
      bn_data({"shapes", "--out", folder, "--size", std::to_string(size), "--images", std::to_string(images),
               "--validation-images", std::to_string(validation_images)});
  ASSERT_EQ(result.exit_code, 0) << result.err;
}

// Trains into the run folder and returns its path; the test fails when the program does.
inline std::string train(const std::string& config, const std::string& run, const Words& more = {}) {
  output_of(joined({"train", config, "--quiet", "--out", run}, more));
  return run;
}

}  // namespace bn::test
