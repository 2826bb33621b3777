// Text that JSON can hold.
#pragma once

#include <string>

namespace bn {

// True if each character is whole.
inline bool is_utf8(const std::string& text) {
  int following = 0;
  for (const char character : text) {
    const auto byte = static_cast<unsigned char>(character);
    const bool is_following = (byte & 0xC0) == 0x80;
    if (is_following != (following > 0)) return false;
    if (is_following) {
      --following;
    } else if (byte >= 0x80) {
      if (byte < 0xC2 || byte > 0xF4) return false;
      following = byte >= 0xF0 ? 3 : byte >= 0xE0 ? 2 : 1;
    }
  }
  return following == 0;
}

}  // namespace bn
