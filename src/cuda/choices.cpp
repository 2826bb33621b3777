#include "cuda/choices.hpp"

#include <sstream>
#include <string_view>

namespace bn::cuda {
namespace {
constexpr std::string_view kBetween = ": ";
}

std::string text_of_choices(const Convolutions& convolutions) {
  std::string text;
  for (const auto& [problem, engine] : convolutions.chosen) {
    text.append(problem).append(kBetween).append(engine).append("\n");
  }
  return text;
}

void repeat_choices(Convolutions& convolutions, const std::string& text) {
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    const size_t end = line.find(kBetween);
    if (end == std::string::npos) continue;
    convolutions.wanted[line.substr(0, end)] = line.substr(end + kBetween.size());
  }
}

}  // namespace bn::cuda
