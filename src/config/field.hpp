// The schema's vocabulary. An options struct is declared once, in schema.cpp, as a list of Fields that point into it;
// reading, writing, comparing, the help text and the suggestions all walk that list.
#pragma once

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <limits>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "bn/ops.hpp"

namespace bn::config {

struct Field;
using Fields = std::vector<Field>;

struct IntegerRange {
  int64_t minimum = 0;
  int64_t maximum = std::numeric_limits<int64_t>::max();
};

enum class Bound { kClosed, kOpen };
struct RealRange {
  double minimum = -std::numeric_limits<double>::max();
  double maximum = std::numeric_limits<double>::max();
  Bound lower = Bound::kClosed, upper = Bound::kClosed;
};

struct IntegerTarget {
  int64_t* value;
  IntegerRange range;
};
struct SeedTarget {
  uint64_t* value;
};
struct RealTarget {
  std::variant<double*, float*> value;
  RealRange range;
};
struct FlagTarget {
  bool* value;
};
struct TextTarget {
  std::string* value;
};
struct WordTarget {  // an enum by its words
  std::vector<std::string> words;
  std::function<int()> index;  // the current word's; -1: the value has none
  std::function<void(int)> choose;
};
struct IntegerListTarget {
  std::vector<int64_t>* value;
  IntegerRange range;
};
struct RealListTarget {
  std::vector<double>* value;
  RealRange range;
};
struct TextListTarget {
  std::vector<std::string>* value;
};
struct GroupTarget {
  Fields fields;
};
struct OptionalTarget {  // a map, or the word `none`
  std::function<bool()> present;
  std::function<Fields()> fields;
  std::function<Fields()> emplace;  // sets it to its defaults
  std::function<void()> clear;
};
struct TaggedTarget {  // a map whose keys depend on the word under `tag`
  std::string tag;
  size_t tag_place = 0;  // among the keys, when written
  std::vector<std::string> words;
  std::function<int()> index;
  std::function<Fields()> fields;
  std::function<Fields(int)> choose;                  // resets to the defaults of that word
  std::function<std::vector<std::string>(int)> keys;  // those that the word has; changes nothing
};
struct RowsTarget {  // a list of maps, one a line; each is known by the value of its first key
  std::function<int64_t()> count;
  std::function<TaggedTarget(int64_t)> at;
  std::function<TaggedTarget()> append;
  std::function<void()> clear;
};

using Target =
    std::variant<IntegerTarget, SeedTarget, RealTarget, FlagTarget, TextTarget, WordTarget, IntegerListTarget,
                 RealListTarget, TextListTarget, GroupTarget, OptionalTarget, TaggedTarget, RowsTarget>;

enum class Presence {
  kOptional,
  kRequired,
  kTerse,  // optional, and not written while it has the value `omitted`: keeps a table's rows short
};

// Tells what is wrong with a value that its target's range allows; "" = nothing.
using Rule = std::function<std::string()>;

struct Field {
  std::string name;
  Target target;
  std::string help;  // one line
  Presence presence = Presence::kOptional;
  std::string omitted = "";
  Rule rule{};
};

// Only this function knows an enum's type; everybody else sees words.
template <class Enum>
WordTarget words(Enum& value, std::initializer_list<std::pair<const char*, Enum>> list) {
  WordTarget target;
  std::vector<Enum> values;
  for (const auto& [word, member] : list) {
    target.words.emplace_back(word);
    values.push_back(member);
  }
  target.index = [&value, values] {
    for (size_t i = 0; i < values.size(); ++i) {
      if (values[i] == value) return static_cast<int>(i);
    }
    return -1;
  };
  target.choose = [&value, values](int index) { value = values.at(static_cast<size_t>(index)); };
  return target;
}

// "an integer of at least 1", "one of: relu, sigmoid", ...
std::string expectation(const Target& target);
std::string expectation(const IntegerRange& range);
std::string expectation(const RealRange& range);
std::vector<std::string> names_of(const Fields& fields);

}  // namespace bn::config
