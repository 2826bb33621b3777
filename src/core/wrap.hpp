// Text for a terminal.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace bn {

constexpr size_t kTerminalWidth = 100;  // of our help texts

// Breaks lines at spaces so that none has more than `width` characters (a longer word keeps a line to itself). What a
// broken line goes on with is indented as the line was, and by `hanging` more.
std::string wrap(std::string_view text, size_t width, size_t hanging = 0);

}  // namespace bn
