// Names that are alike but for capital letters.
#pragma once

#include <algorithm>
#include <cctype>
#include <string>

namespace bn {

// Makes small letters of ASCII's capital ones; other characters stay.
inline std::string lower_case(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return text;
}

}  // namespace bn
