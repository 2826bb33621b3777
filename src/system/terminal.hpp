// Results on standard output and messages to people on standard error, and text for the terminal that these may be.
#pragma once

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>

namespace bn {

constexpr size_t kTerminalWidth = 100;  // our help texts keep to it

// The columns of the terminal that standard output is. If it is none: those that the environment variable COLUMNS
// tells, or else `otherwise`.
int64_t output_columns(int64_t otherwise);

struct TerminalSize {
  size_t columns = kTerminalWidth, rows = 24;
};
// The terminal's that standard error is; the presets where it does not tell them.
TerminalSize error_terminal();

// The text with each control character but newlines and tabs as `\x1b`: it moves no cursor and changes no colour.
std::string without_commands(const std::string& text);

// The same where standard output is a terminal; for a file or a program the text as it is.
std::string for_output(const std::string& text);

// Writes the text: on a terminal without what would command it, for a file's name may hold anything; elsewhere as it
// is. Where it cannot be written, the program tells so at its end.
inline void print(const std::string& text) { std::fputs(for_output(text).c_str(), stdout); }

// Writes the text, but for what would command a terminal. Where it cannot be written (a full disk, a terminal that has
// gone), nothing else happens: a result does not depend on its messages.
inline void tell(const std::string& text) { std::fputs(without_commands(text).c_str(), stderr); }

// Writes the text as it is, for what moves a terminal's cursor.
inline void steer_terminal(const std::string& text) { std::fputs(text.c_str(), stderr); }

// Erases a line of so many characters that the cursor stands behind. In a window of so many columns, which may have
// become narrower since, it takes several rows.
std::string erasing(size_t characters, size_t columns);

// A person watches this on standard error. On a terminal it is a row that is rewritten in place, elsewhere a line each
// time; characters that would command a terminal are left out. The line that stands at the end is ended.
class LiveLine {
 public:
  LiveLine();
  ~LiveLine();
  LiveLine(const LiveLine&) = delete;
  LiveLine& operator=(const LiveLine&) = delete;

  bool is_on_terminal() const { return terminal_; }
  // True when so many seconds have gone by since it was, or since the beginning.
  bool is_due(double seconds_on_terminal, double seconds_elsewhere);
  void show(const std::string& line);  // until the next one
  void keep(const std::string& line);  // in whole, and for good
  void erase();

 private:
  void write(const std::string& text);

  bool terminal_;
  size_t open_ = 0;  // characters of the unfinished line that the cursor stands behind
  std::chrono::steady_clock::time_point due_ = std::chrono::steady_clock::now();
};

// Breaks lines at spaces so that none has more than `width` characters (a longer word keeps a line to itself). The rest
// of a broken line is indented as the line was, and by `hanging` more.
std::string wrap(std::string_view text, size_t width, size_t hanging = 0);

}  // namespace bn
