#include "config/mistakes.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <tuple>

namespace bn::config {
namespace {

constexpr size_t kMost = 50;  // damaged text has a mistake on nearly every line

std::string one_line(const Position& position, const std::string& path, const std::string& message) {
  std::string whole = to_string(position);
  if (!whole.empty()) whole += ": ";
  if (!path.empty()) whole += path + ": ";
  return whole + message;
}

// The experiment's file, what it is based on, then overrides; in the order of the lines.
bool stands_before(const Mistake& a, const Mistake& b) {
  const auto rank = [](const Position& position) {
    static const Source kNowhere{.kind = SourceKind::kFile, .name = "", .directory = "", .order = -1};
    const Source& source = position.source ? *position.source : kNowhere;
    const std::string& name = source.kind == SourceKind::kFile ? source.name : kNowhere.name;
    return std::make_tuple(source.kind, source.order, std::string_view(name), position.line, position.column);
  };
  return rank(a.position) < rank(b.position);
}

}  // namespace

Mistake::Mistake(Position where, const std::string& path, const std::string& message)
    : ConfigError(one_line(where, path, message)), position(std::move(where)) {}

void Mistakes::add(const Mistake& mistake) {
  mistakes_.push_back(mistake);
  if (mistakes_.size() == kMost) throw_if_any();
}

void Mistakes::throw_if_any() const {
  if (mistakes_.empty()) return;
  if (mistakes_.size() == 1) throw ConfigError(mistakes_.front().what());
  std::vector<Mistake> sorted = mistakes_;
  std::stable_sort(sorted.begin(), sorted.end(), stands_before);
  std::string text = fmt::format("{} mistakes{}:", sorted.size(), sorted.size() == kMost ? ", and perhaps more" : "");
  for (const Mistake& mistake : sorted) text += fmt::format("\n  {}", mistake.what());
  throw ConfigError(text);
}

void fail(const Position& position, const std::string& path, const std::string& message) {
  throw Mistake(position, path, message);
}

}  // namespace bn::config
