// "did you mean ...?"
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace bn {

// Insertions, deletions, replacements and swaps of neighbours that turn one word into the other.
size_t edit_distance(std::string_view a, std::string_view b);
// The candidate within a third of the word's length (three edits at most); "" when none is.
std::string nearest(std::string_view word, const std::vector<std::string>& candidates);
// "; did you mean X?", or "" when nothing is near.
std::string suggestion(std::string_view word, const std::vector<std::string>& candidates);
std::string join(const std::vector<std::string>& words);  // "a, b, c"

}  // namespace bn
