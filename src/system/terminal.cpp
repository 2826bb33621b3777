#include "system/terminal.hpp"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>

#include "system/text.hpp"

namespace bn {
namespace {

std::string wrap_line(std::string_view line, size_t width, size_t hanging) {
  const size_t indent = std::min(line.find_first_not_of(' '), line.size());
  std::string wrapped(indent, ' ');
  size_t used = indent;
  bool is_first = true;
  for (size_t begin = indent; begin < line.size();) {
    const size_t end = std::min(line.find(' ', begin), line.size());
    const std::string_view word = line.substr(begin, end - begin);
    if (!is_first && used + 1 + word.size() > width) {
      wrapped += "\n" + std::string(indent + hanging, ' ');
      used = indent + hanging;
    } else if (!is_first) {
      wrapped += ' ';
      ++used;
    }
    wrapped += word;
    used += word.size();
    is_first = false;
    begin = end + 1;
  }
  return wrapped;
}

}  // namespace

int64_t output_columns(int64_t otherwise) {
  winsize size{};
  if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) return size.ws_col;
  int64_t columns = 0;
  const char* variable = std::getenv("COLUMNS");
  const std::string_view text = variable == nullptr ? "" : variable;
  std::from_chars(text.data(), text.data() + text.size(), columns);
  return columns > 0 ? columns : otherwise;
}

TerminalSize error_terminal() {
  winsize told{};
  if (ioctl(STDERR_FILENO, TIOCGWINSZ, &told) != 0) return {};
  TerminalSize size;
  if (told.ws_col > 0) size.columns = told.ws_col;
  if (told.ws_row > 0) size.rows = told.ws_row;
  return size;
}

std::string without_commands(const std::string& text) {
  constexpr const char* kDigits = "0123456789abcdef";
  std::string cleaned;
  for (size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    // In UTF-8 the controls from U+0080 on are two bytes.
    const bool is_second = byte >= 0x80 && byte < 0xA0 && i > 0 && text[i - 1] == '\xC2';
    if ((byte >= 0x20 && byte != 0x7F && !is_second) || byte == '\n' || byte == '\t') {
      cleaned += text[i];
      continue;
    }
    if (is_second) cleaned.pop_back();
    cleaned += {'\\', 'x', kDigits[byte >> 4], kDigits[byte & 0xF]};
  }
  return cleaned;
}

std::string for_output(const std::string& text) { return isatty(STDOUT_FILENO) == 1 ? without_commands(text) : text; }

std::string erasing(size_t characters, size_t columns) {
  if (characters <= columns) return "\r\033[K";
  return fmt::format("\033[{}A\r\033[J", (characters - 1) / columns);
}

LiveLine::LiveLine() : terminal_(isatty(STDERR_FILENO) == 1) {}

LiveLine::~LiveLine() {
  if (open_ > 0) steer_terminal("\n");
}

bool LiveLine::is_due(double seconds_on_terminal, double seconds_elsewhere) {
  if (seconds_since(due_) < (terminal_ ? seconds_on_terminal : seconds_elsewhere)) return false;
  due_ = std::chrono::steady_clock::now();
  return true;
}

void LiveLine::show(const std::string& line) {
  if (!terminal_) return keep(line);
  const std::string row = without_commands(line).substr(0, error_terminal().columns);
  write(row);
  open_ = row.size();
}

void LiveLine::keep(const std::string& line) {
  write(without_commands(line) + "\n");
  open_ = 0;
}

void LiveLine::erase() {
  if (open_ > 0) write("");
  open_ = 0;
}

void LiveLine::write(const std::string& text) {
  steer_terminal((terminal_ ? erasing(open_, error_terminal().columns) : "") + text);
  std::fflush(stderr);
}

std::string wrap(std::string_view text, size_t width, size_t hanging) {
  std::string wrapped;
  for (size_t begin = 0; begin <= text.size();) {
    const size_t end = std::min(text.find('\n', begin), text.size());
    if (begin > 0) wrapped += '\n';
    wrapped += wrap_line(text.substr(begin, end - begin), width, hanging);
    begin = end + 1;
  }
  return wrapped;
}

}  // namespace bn
