// Sets to pack, and packed ones.
#pragma once

#include <map>

#include "data/fixtures.hpp"
#include "packing/pack.hpp"

namespace bn::test {

// A tar of `count` JPEGs of two classes, a and b; opened as a set.
inline std::unique_ptr<Dataset> made_set(const TemporaryFolder& dir, int count,
                                         const std::vector<NamedBytes>& more = {}) {
  std::vector<NamedBytes> members;
  for (int i = 0; i < count; ++i) {
    members.push_back(
        {(i < count / 2 ? "a/" : "b/") + std::to_string(i) + ".jpg", jpeg_image(40 + i % 7 * 4, 36 + i % 5 * 10, i)});
  }
  members.insert(members.end(), more.begin(), more.end());
  const DataOptions options{.kind = DatasetKind::kTar, .train = {dir.write("source.tar", tar_of(members))}};
  return open_dataset(options, Split::kTrain);
}

inline PackSummary pack_quietly(const Dataset& set, const PackOptions& options) {
  return pack(set, options, [](const PackProgress&) {});
}

inline DataOptions packed_options(const std::string& folder) {
  return {.kind = DatasetKind::kPacked, .train = {folder}, .validation = {folder}};
}

// Name to bytes of every file of a folder.
inline std::map<std::string, std::string> contents_of(const std::string& folder) {
  std::map<std::string, std::string> contents;
  for (const std::string& name : names_in(folder)) contents[name] = read_bytes(folder + "/" + name);
  return contents;
}

}  // namespace bn::test
