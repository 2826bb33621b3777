// Text: letters, numbers, characters of UTF-8, JSON, fields of CSV files, durations, and "did you mean ...?".
#pragma once

#include <charconv>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

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

// The JSON in one line, or each level indented by so many spaces. Bytes that are no character become U+FFFD.
template <class Json>
std::string json_text(const Json& json, int indent = -1) {
  return json.dump(indent, ' ', false, Json::error_handler_t::replace);
}

// The field of a CSV file as it is, or quoted where RFC 4180 demands it.
std::string csv_field(const std::string& text);
std::string join(const std::vector<std::string>& words);  // "a, b, c"

double seconds_since(std::chrono::steady_clock::time_point start);
std::string describe_duration(double seconds);  // "4:05", "1:02:03"; from two days on "3.2 days"

// Insertions, deletions, replacements and swaps of neighbours that turn one word into the other.
size_t edit_distance(std::string_view a, std::string_view b);
// The candidate within a third of the word's length (three edits at most); "" when none is.
std::string nearest(std::string_view word, const std::vector<std::string>& candidates);
// "; did you mean X?", or "" when nothing is near.
std::string suggestion(std::string_view word, const std::vector<std::string>& candidates);

}  // namespace bn
