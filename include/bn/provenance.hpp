// The things that a run was made of: what gives its class indices their meaning, and what its last bits depend on. A
// run folder holds them in made_of.json, a checkpoint in its metadata of that name.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace bn {

struct DataRecord {
  int64_t images = 0;
  std::string fingerprint{};  // bn::fingerprint()
  int64_t largest_class = 0;  // images of the class that has most; 0 in records of an earlier version
};
// Fingerprints are compared as far as both tell: one of an earlier version has nothing about the contents, or has it in
// another form.
bool is_same_data(const DataRecord& a, const DataRecord& b);

// The checkpoint that a run's first values come from.
struct Origin {
  std::string checkpoint{};  // its path, as it was found
  int64_t step = 0;
  std::string checksum{};  // "xxh3-64:..." of its file
  bool operator==(const Origin&) const = default;
};

struct Provenance {
  std::vector<std::string> classes{};      // in the order of their indices
  std::vector<std::string> class_words{};  // each class's name in words, in that order; empty where none is known
  DataRecord training{}, validation{};
  std::string computation{};  // Backend::computation()
  std::optional<Origin> origin{};
};

// The first index of which two lists have other classes, and each list's class there: "'ant'", or "none" behind its
// end.
struct ClassDifference {
  int64_t index = 0;
  std::string left{}, right{};
};
std::optional<ClassDifference> first_difference(const std::vector<std::string>& left,
                                                const std::vector<std::string>& right);

// As one JSON object; from_json gives nothing for text that is none.
std::string to_json(const Provenance& provenance);
std::optional<Provenance> provenance_from_json(const std::string& text);

// A sentence for each thing that changes what an index or an accuracy means: the first class that moved, other images.
std::vector<std::string> differences_of_data(const Provenance& before, const Provenance& now);
// The same of two runs: "60 against 59 training images".
std::vector<std::string> differences_between(const Provenance& a, const Provenance& b);

}  // namespace bn
