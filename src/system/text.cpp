#include "system/text.hpp"

#include <algorithm>
#include <cctype>

namespace bn {

std::string lower_case(std::string text) {
  std::ranges::transform(text, text.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return text;
}

bool is_utf8(std::string_view text) {
  constexpr unsigned char kFirst = 0x80, kLast = 0xBF;  // of the bytes that follow
  for (size_t i = 0; i < text.size();) {
    const auto byte = static_cast<unsigned char>(text[i++]);
    if (byte < kFirst) continue;
    if (byte < 0xC2 || byte > 0xF4) return false;
    // The second byte rules out longer forms than needed, surrogates, and what lies beyond the last character.
    const unsigned char low = byte == 0xE0 ? 0xA0 : byte == 0xF0 ? 0x90 : kFirst;
    const unsigned char high = byte == 0xED ? 0x9F : byte == 0xF4 ? 0x8F : kLast;
    const size_t following = byte >= 0xF0 ? 3 : byte >= 0xE0 ? 2 : 1;
    if (text.size() - i < following) return false;
    const auto second = static_cast<unsigned char>(text[i]);
    if (second < low || second > high) return false;
    for (const char next : text.substr(i, following)) {
      if (!is_following(next)) return false;
    }
    i += following;
  }
  return true;
}

size_t count_characters(std::string_view text) {
  return static_cast<size_t>(std::ranges::count_if(text, [](char byte) { return !is_following(byte); }));
}

std::string csv_field(const std::string& text) {
  if (text.find_first_of(",\"\n\r") == std::string::npos) return text;
  std::string quoted = "\"";
  for (const char c : text) quoted += c == '"' ? std::string("\"\"") : std::string(1, c);
  return quoted + '"';
}

}  // namespace bn
