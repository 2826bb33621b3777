// Proves that a packed set is as it was packed: every byte of every shard is under a checksum in the index, and the
// index and the classes are under their own.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "bn/dataset.hpp"
#include "packing/pack.hpp"

namespace bn {

enum class Depth { kChecksums, kDecode };  // decode: strictly, every image

struct Finding {
  std::string kind;     // "index", "classes", "shard", "structure", "image", "label", "decode", "count", "duplicate"
  std::string message;  // a whole sentence, naming the file
  bool operator==(const Finding&) const = default;
};

struct SplitReport {
  Split split = Split::kTrain;
  int64_t images = 0, shards = 0, bytes = 0, classes_present = 0;
  TraitCounts traits{};
};

struct VerifyReport {
  std::vector<SplitReport> splits{};
  std::vector<Finding> problems{};  // the set is not what it should be
  std::vector<Finding> notes{};     // worth knowing
};

// Throws DataError only if there is no packed set in the folder.
VerifyReport verify(const std::string& folder, Depth depth, int64_t workers,
                    const std::function<void(const PackProgress&)>& progress);

}  // namespace bn
