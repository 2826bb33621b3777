// Results on standard output, and messages to people on standard error.
#pragma once

#include <cstdio>
#include <string>

namespace bn {

// Writes the text as it is. The end of the program tells where it cannot be written.
inline void print(const std::string& text) { std::fputs(text.c_str(), stdout); }

// Writes the text as it is. Where it cannot be written (a full disk, a terminal that has gone), nothing else happens:
// a result does not depend on its messages.
inline void tell(const std::string& text) { std::fputs(text.c_str(), stderr); }

}  // namespace bn
