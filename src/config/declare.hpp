// The words in which the schema declares a key: ranges that several keys share, and the kinds of fields.
#pragma once

#include <string>
#include <utility>

#include "config/field.hpp"

namespace bn::config {

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

inline Field field(std::string name, Target target, std::string help) {
  return {.name = std::move(name), .target = std::move(target), .help = std::move(help)};
}
inline Field required(std::string name, Target target, std::string help) {
  Field result = field(std::move(name), std::move(target), std::move(help));
  result.presence = Presence::kRequired;
  return result;
}
inline Field terse(std::string name, Target target, std::string omitted, std::string help) {
  Field result = field(std::move(name), std::move(target), std::move(help));
  result.presence = Presence::kTerse;
  result.omitted = std::move(omitted);
  return result;
}
// Declares a key whose values follow a rule that a range cannot say.
inline Field field(std::string name, Target target, Rule rule, std::string help) {
  Field result = field(std::move(name), std::move(target), std::move(help));
  result.rule = std::move(rule);
  return result;
}
inline Field required(std::string name, Target target, Rule rule, std::string help) {
  Field result = required(std::move(name), std::move(target), std::move(help));
  result.rule = std::move(rule);
  return result;
}

}  // namespace bn::config
