// Names what was built, for --version and for the record that a run keeps.
#pragma once

#include <string>

namespace bn {

std::string program_version();  // "0.1.0"
// `git describe` of the sources when they were built; "unknown" outside a git checkout.
std::string source_version();

}  // namespace bn
