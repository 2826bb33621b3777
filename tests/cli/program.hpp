// The program as a user starts it, for tests of whole command lines.
#pragma once

#include <string>
#include <vector>

#include "support/child_process.hpp"

namespace bn::test {

// bninception({"train", config, "--out", folder / "run"}).exit_code
inline std::vector<std::string> bninception_command(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), BN_PROGRAM);
  return arguments;
}
inline ProgramResult bninception(std::vector<std::string> arguments, const ProgramOptions& options = {}) {
  return run_program(bninception_command(std::move(arguments)), options);
}

}  // namespace bn::test
