// Results on standard output, and messages to people on standard error.
#pragma once

#include <cstdio>
#include <string>

#include "system/terminal.hpp"

namespace bn {

// Writes the text: on a terminal without what would command it, for a file's name may hold anything; elsewhere as it
// is. Where it cannot be written, the program tells so at its end.
inline void print(const std::string& text) { std::fputs(for_output(text).c_str(), stdout); }

// Writes the text, but for what would command a terminal. Where it cannot be written (a full disk, a terminal that has
// gone), nothing else happens: a result does not depend on its messages.
inline void tell(const std::string& text) { std::fputs(without_commands(text).c_str(), stderr); }

// Writes the text as it is, for what moves a terminal's cursor.
inline void steer_terminal(const std::string& text) { std::fputs(text.c_str(), stderr); }

}  // namespace bn
