// A set's fingerprint tells it from others without reading its images: by labels, names of files and, where that costs
// little, sizes. An image's key tells it from others by the ends of its file.
#include <fmt/format.h>
#include <xxhash.h>

#include <algorithm>
#include <memory>

#include "bn/dataset.hpp"
#include "data/file_reader.hpp"

namespace bn {

std::string fingerprint(const Dataset& set) {
  constexpr int64_t kMostSizes = 200'000;  // each may ask the file system
  const std::unique_ptr<XXH3_state_t, decltype(&XXH3_freeState)> state(XXH3_createState(), XXH3_freeState);
  XXH3_64bits_reset(state.get());
  for (int64_t i = 0; i < set.size(); ++i) {
    const std::string name = set.name(i);
    const std::string file = name.substr(name.find_last_of("/:") + 1);  // a set may move
    const int64_t numbers[] = {set.label(i), set.size() <= kMostSizes ? set.stored_bytes(i) : 0};
    XXH3_64bits_update(state.get(), file.c_str(), file.size() + 1);
    XXH3_64bits_update(state.get(), numbers, sizeof numbers);
  }
  return fmt::format("{:016x}", XXH3_64bits_digest(state.get()));
}

uint64_t Dataset::content_key(int64_t index) const {
  std::vector<uint8_t> storage;
  const Sample sample = read(index, storage);
  return XXH3_64bits(sample.data, static_cast<size_t>(sample.bytes));
}

// Photos that differ, differ in their size or in one of their ends; two that do not are taken for copies, which keeps
// them on one side.
uint64_t content_key(const FileReader& file, int64_t offset, int64_t bytes) {
  constexpr int64_t kEnd = 32'768;
  std::vector<uint8_t> ends(static_cast<size_t>(std::min(bytes, 2 * kEnd)));
  if (bytes <= 2 * kEnd) {
    file.read(offset, bytes, ends.data());
  } else {
    file.read(offset, kEnd, ends.data());
    file.read(offset + bytes - kEnd, kEnd, ends.data() + kEnd);
  }
  return XXH3_64bits_withSeed(ends.data(), ends.size(), static_cast<uint64_t>(bytes));
}

}  // namespace bn
