#include "config/field.hpp"

#include <fmt/format.h>

#include "system/text.hpp"

namespace bn::config {

std::vector<std::string> names_of(const Fields& fields) {
  std::vector<std::string> names;
  for (const Field& field : fields) names.push_back(field.name);
  return names;
}

std::string expectation(const IntegerRange& range) {
  if (range.minimum == range.maximum) return fmt::format("{}", range.minimum);
  if (range.maximum == std::numeric_limits<int64_t>::max())
    return fmt::format("an integer of at least {}", range.minimum);
  return fmt::format("an integer from {} to {}", range.minimum, range.maximum);
}

std::string expectation(const RealRange& range) {
  constexpr double kShownMaximum = 1e9;  // beyond it the bound only guards against overflow
  std::string text = "a number";
  const bool lower = range.minimum > -kShownMaximum, upper = range.maximum <= kShownMaximum;
  if (lower) text += fmt::format(" {} {}", range.lower == Bound::kOpen ? "above" : "of at least", range.minimum);
  if (lower && upper) text += " and";
  if (upper) text += fmt::format(" {} {}", range.upper == Bound::kOpen ? "below" : "at most", range.maximum);
  return text;
}

std::string expectation(const Target& target) {
  return std::visit(
      Overloaded{
          [](const IntegerTarget& t) { return expectation(t.range); },
          [](const SeedTarget&) { return std::string("an integer from 0 to 18446744073709551615"); },
          [](const RealTarget& t) { return expectation(t.range); },
          [](const FlagTarget&) { return std::string("true or false"); },
          [](const TextTarget&) { return std::string("text"); },
          [](const WordTarget& t) { return "one of: " + join(t.words); },
          [](const IntegerListTarget& t) { return fmt::format("a list [...], each {}", expectation(t.range)); },
          [](const RealListTarget& t) { return fmt::format("a list [...], each {}", expectation(t.range)); },
          [](const TextListTarget&) { return std::string("a list [...] of texts"); },
          [](const GroupTarget& t) { return "a map with the keys " + join(names_of(t.fields)); },
          [](const OptionalTarget&) { return std::string("none or a map"); },
          [](const TaggedTarget& t) { return fmt::format("a map with `{}`, one of: {}", t.tag, join(t.words)); },
          [](const RowsTarget&) { return std::string("a list of rows, each a map"); },
      },
      target);
}

}  // namespace bn::config
