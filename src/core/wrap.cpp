#include "core/wrap.hpp"

#include <algorithm>

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
