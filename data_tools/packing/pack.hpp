// Packs a data set: shards of plain tar files, images assigned to them and ordered within them at random, and an index
// (packed_index.hpp). The one rule to know: which image goes where follows from the set, the options and the seed
// alone, and a shard appears under its name only when it is whole; so a run that was killed at any moment is continued
// by doing the shards that are not there, and the result has the same bytes.
#pragma once

#include <array>
#include <functional>
#include <string>
#include <vector>

#include "bn/dataset.hpp"
#include "data/packed_index.hpp"

namespace bn {

struct PackOptions {
  std::string out{};  // folder
  Split split = Split::kTrain;
  std::vector<std::string> class_lines{};  // the lines of classes.txt; empty = the set's class names
  int64_t shards = 64;                     // fewer if there are fewer images
  uint64_t seed = 1;
  int64_t resize_shorter = 0;  // larger images are resized to this shorter side; 0 = all are taken as they are
  int64_t quality = 90;        // quality of the JPEGs that are then made
  int64_t decoded_size = 0;    // pixels of images of this side instead of files: shorter side, then the centre; 0 = off
  ExifOrientation exif_orientation = ExifOrientation::kIgnore;  // of images that are not packed as they are
  OnCorrupt on_corrupt = OnCorrupt::kFail;                      // or kSkip
  Origin origin = Origin::kAny;
  int64_t workers = 1;
};

struct PackProgress {
  int64_t images = 0, total = 0;
  int64_t found = 0;  // those of them that a run before had made
};

struct PackSummary {
  int64_t images = 0, shards = 0, bytes = 0;
  int64_t shards_found = 0;                   // made by a run before
  int64_t left_out = 0;                       // could not be decoded
  std::vector<std::string> left_out_names{};  // those that this run left out, with the reason
  TraitCounts traits{};
};
extern const std::array<const char*, std::tuple_size_v<TraitCounts>> kTraitNames;
std::string list_traits(const TraitCounts& traits);  // "  gray: 2\n", a line for each trait that an image has

// Throws DataError (an image that cannot be decoded; a class of which none can be; a folder begun from another set or
// with other options; files that pack() did not make, where it would write), StorageError (another process packs into
// the folder), ConfigError. progress is called from several threads, one at a time.
PackSummary pack(const Dataset& source, const PackOptions& options,
                 const std::function<void(const PackProgress&)>& progress);

TraitCounts count_traits(const PackedIndex& index);

}  // namespace bn
