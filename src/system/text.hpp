// Text: letters, numbers, characters of UTF-8, fields of CSV files.
#pragma once

#include <charconv>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace bn {

// Makes small letters of ASCII's capital ones; other characters stay.
std::string lower_case(std::string text);

// The number, if the whole text is one.
template <class Number>
std::optional<Number> number_in(std::string_view text) {
  Number number{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

// True if each character is whole, so that JSON can hold the text.
bool is_utf8(std::string_view text);
// True for the bytes of a character after its first.
inline bool is_following(char byte) { return (static_cast<unsigned char>(byte) & 0xC0U) == 0x80U; }
size_t count_characters(std::string_view text);

// The field of a CSV file as it is, or quoted where RFC 4180 demands it.
std::string csv_field(const std::string& text);

}  // namespace bn
