#include "bn/duplicates.hpp"

#include <xxhash.h>

#include <optional>
#include <unordered_map>
#include <vector>

#include "bn/error.hpp"

namespace bn {
namespace {

constexpr int64_t kMostBytes = 256 << 20;  // about a second's reading

// 0 where a size is not known.
int64_t bytes_of(const Dataset& set) {
  int64_t bytes = 0;
  for (int64_t i = 0; i < set.size() && bytes <= kMostBytes; ++i) bytes += set.stored_bytes(i);
  return bytes;
}

using Key = std::optional<uint64_t>;  // alike where images are alike

Key key_of_content(const Dataset& set, int64_t index, std::vector<uint8_t>& storage) {
  if (const Key recorded = set.recorded_checksum(index)) return recorded;
  try {
    const Dataset::Sample sample = set.read(index, storage);
    return XXH3_64bits(sample.data, static_cast<size_t>(sample.bytes));
  } catch (const Error&) {
    return std::nullopt;
  }
}

Key key_of_name(const Dataset& set, int64_t index) {
  const int64_t bytes = set.stored_bytes(index);
  if (bytes == 0) return std::nullopt;  // a name alone says too little
  const std::string file = set.file_name(index);
  return XXH3_64bits_withSeed(file.data(), file.size(), static_cast<uint64_t>(bytes));
}

}  // namespace

Duplicates find_duplicates(const Dataset& training_set, const Dataset& validation_set) {
  const bool is_recorded = training_set.recorded_checksum(0) && validation_set.recorded_checksum(0);
  const bool is_small = bytes_of(training_set) + bytes_of(validation_set) <= kMostBytes;
  Duplicates duplicates{.kind = is_recorded || is_small ? Duplicates::Kind::kContent : Duplicates::Kind::kNameAndSize};
  std::vector<uint8_t> storage;
  std::unordered_map<uint64_t, int64_t> training;  // key to the first index
  const auto compare = [&](const Dataset& set, int64_t index, Duplicates::Found& found) {
    const Key key =
        duplicates.kind == Duplicates::Kind::kContent ? key_of_content(set, index, storage) : key_of_name(set, index);
    if (!key) return;
    const auto original = &set == &training_set ? training.emplace(*key, index).first : training.find(*key);
    if (original == training.end() || (&set == &training_set && original->second == index)) return;
    if (++found.count == 1) {
      found.copy = set.name(index);
      found.original = training_set.name(original->second);
    }
    if (set.label(index) != training_set.label(original->second)) ++found.of_other_classes;
  };
  for (int64_t i = 0; i < training_set.size(); ++i) compare(training_set, i, duplicates.repeated);
  for (int64_t i = 0; i < validation_set.size(); ++i) compare(validation_set, i, duplicates.shared);
  return duplicates;
}

}  // namespace bn
