// Text for the terminal that a program writes to.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace bn {

constexpr size_t kTerminalWidth = 100;  // our help texts keep to it

// The columns of the terminal that standard output is. If it is none: those that the environment variable COLUMNS
// tells, or else `otherwise`.
int64_t output_columns(int64_t otherwise);

// The text with each control character but newlines and tabs as `\x1b`: it moves no cursor and changes no colour.
std::string without_commands(const std::string& text);

// The same where standard output is a terminal; for a file or a program the text as it is.
std::string for_output(const std::string& text);

// The columns of the terminal that standard error is; kTerminalWidth where it does not tell them.
size_t error_columns();
// The start of a line that is rewritten in place there: it takes one row.
std::string one_row(const std::string& line);
// Erases a line of so many characters that the cursor stands behind. In a window of so many columns, which may have
// become narrower since, it takes several rows.
std::string erasing(size_t characters, size_t columns);

// Breaks lines at spaces so that none has more than `width` characters (a longer word keeps a line to itself). The rest
// of a broken line is indented as the line was, and by `hanging` more.
std::string wrap(std::string_view text, size_t width, size_t hanging = 0);

}  // namespace bn
