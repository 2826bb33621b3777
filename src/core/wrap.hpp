// Text for a terminal.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace bn {

constexpr size_t kTerminalWidth = 100;  // our help texts keep to it

// Breaks lines at spaces so that none has more than `width` characters (a longer word keeps a line to itself). The rest
// of a broken line is indented as the line was, and by `hanging` more.
std::string wrap(std::string_view text, size_t width, size_t hanging = 0);

}  // namespace bn
