// The schema's vocabulary. An options struct is declared once, in schema.cpp, as a list of Fields that point into it;
// reading, writing, comparing, the help text and the suggestions all walk that list.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <limits>
#include <string>
#include <type_traits>
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

// Upper bounds keep a slip of the hand from becoming an overflow in a size; none is a real limit.
constexpr int64_t kMaxChannels = 16'384;
constexpr int64_t kMaxSide = 4'096;
constexpr int64_t kMaxBatch = 1'048'576;
constexpr int64_t kMaxImages = 1'000'000'000'000;
constexpr int64_t kMaxSteps = 1'000'000'000'000;
constexpr double kMaxReal = 1e30;  // stays finite as a float

constexpr IntegerRange kChannels{1, kMaxChannels};
constexpr IntegerRange kChannelsOrNone{0, kMaxChannels};
constexpr IntegerRange kSide{1, kMaxSide};
constexpr IntegerRange kImageChannels{1, 4};
constexpr IntegerRange kPatch{1, 31};
constexpr IntegerRange kStride{1, 8};
constexpr IntegerRange kEverySteps{1, kMaxSteps};
constexpr IntegerRange kStepsOrZero{0, kMaxSteps};
constexpr RealRange kPositive{0, kMaxReal, Bound::kOpen, Bound::kClosed};
constexpr RealRange kNotNegative{0, kMaxReal};
constexpr RealRange kFraction{0, 1, Bound::kClosed, Bound::kOpen};  // below 1

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

using Rule = std::function<std::string()>;  // tells what is wrong with the present value; "" = nothing

struct Field {
  std::string name;
  Target target;
  std::string help;  // one line
  Presence presence = Presence::kOptional;
  std::string omitted = "";
  Rule rule{};
};

// The words of an enum in the order of its enumerators, from `first` on; a value outside of them has none.
template <class Enum>
WordTarget words(Enum& value, std::vector<std::string> list, Enum first = Enum{}) {
  const auto begin = static_cast<int>(first), count = static_cast<int>(list.size());
  return {.words = std::move(list),
          .index =
              [&value, begin, count] {
                const int index = static_cast<int>(value) - begin;
                return index < count ? std::max(index, -1) : -1;
              },
          .choose = [&value, begin](int index) { value = static_cast<Enum>(begin + index); }};
}

// A key's target and rule. The target follows from the type of the value. `problem` tells what is wrong with a value
// that the range allows; "" = nothing.
template <class Value>
using ProblemOf = std::string (*)(const Value&);
struct Key {
  Target target;
  Rule rule{};

  Key(bool& value) : target(FlagTarget{&value}) {}
  Key(uint64_t& value) : target(SeedTarget{&value}) {}
  Key(std::string& value) : target(TextTarget{&value}) {}
  Key(float& value, RealRange range) : target(RealTarget{&value, range}) {}
  Key(double& value, RealRange range, ProblemOf<double> problem = nullptr)
      : target(RealTarget{&value, range}), rule(rule_of(value, problem)) {}
  Key(int64_t& value, IntegerRange range, ProblemOf<int64_t> problem = nullptr)
      : target(IntegerTarget{&value, range}), rule(rule_of(value, problem)) {}
  Key(std::vector<double>& value, RealRange range, ProblemOf<std::vector<double>> problem = nullptr)
      : target(RealListTarget{&value, range}), rule(rule_of(value, problem)) {}
  Key(std::vector<int64_t>& value, IntegerRange range, ProblemOf<std::vector<int64_t>> problem = nullptr)
      : target(IntegerListTarget{&value, range}), rule(rule_of(value, problem)) {}
  Key(std::vector<std::string>& value, ProblemOf<std::vector<std::string>> problem = nullptr)
      : target(TextListTarget{&value}), rule(rule_of(value, problem)) {}
  template <class Enum>
  requires std::is_enum_v<Enum> Key(Enum& value, std::vector<std::string> list, Enum first = Enum{})
      : target(words(value, std::move(list), first)) {}
  Key(Fields fields) : target(GroupTarget{std::move(fields)}) {}
  Key(OptionalTarget map) : target(std::move(map)) {}
  Key(TaggedTarget map) : target(std::move(map)) {}
  Key(RowsTarget rows, Rule its_rule) : target(std::move(rows)), rule(std::move(its_rule)) {}

 private:
  template <class Value>
  static Rule rule_of(const Value& value, ProblemOf<Value> problem) {
    if (problem == nullptr) return {};
    return [&value, problem] { return problem(value); };
  }
};

inline Field field(std::string name, Key key, std::string help) {
  return {
      .name = std::move(name), .target = std::move(key.target), .help = std::move(help), .rule = std::move(key.rule)};
}
inline Field required(std::string name, Key key, std::string help) {
  Field result = field(std::move(name), std::move(key), std::move(help));
  result.presence = Presence::kRequired;
  return result;
}
inline Field terse(std::string name, Key key, std::string omitted, std::string help) {
  Field result = field(std::move(name), std::move(key), std::move(help));
  result.presence = Presence::kTerse;
  result.omitted = std::move(omitted);
  return result;
}

// "an integer of at least 1", "one of: relu, sigmoid", ...
std::string expectation(const Target& target);
std::string expectation(const IntegerRange& range);
std::string expectation(const RealRange& range);
std::vector<std::string> names_of(const Fields& fields);

}  // namespace bn::config
