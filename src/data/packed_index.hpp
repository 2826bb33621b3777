// The index of a packed set: which image lies where in the shards. Little-endian: a head, the shards, 32 bytes an
// image, and an xxh3 sum of all before it. A file that was cut off or changed is an error; nothing is allocated for the
// sizes that such a file merely claims.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "bn/dataset.hpp"

namespace bn {

// An image's peculiarities; bits.
enum ImageTrait : uint16_t {
  kTraitGray = 1,
  kTraitFourInks = 2,     // CMYK or YCCK
  kTraitNotJpeg = 4,      // judged by its bytes, whatever it is called
  kTraitProgressive = 8,  // JPEG
  kTraitTurned = 16,      // its EXIF orientation turns it
  kTraitOdd = 32,         // libjpeg warned of something harmless
  kTraitTurnLost = 64,    // it was encoded anew without being turned
};

using TraitCounts = std::array<int64_t, 7>;  // images with each, in the order of their bits

struct PackedImage {
  uint64_t offset = 0;    // begins at this byte of the shard
  uint64_t checksum = 0;  // xxh3
  uint32_t bytes = 0;
  int32_t label = 0;
  uint16_t width = 0, height = 0;
  uint16_t shard = 0;
  uint16_t traits = 0;  // the image's before packing
  bool operator==(const PackedImage&) const = default;
};
static_assert(sizeof(PackedImage) == 32);

struct PackedShard {
  uint64_t bytes = 0;
  uint64_t checksum = 0;  // xxh3 of the file's bytes
  bool operator==(const PackedShard&) const = default;
};

enum class Origin : uint32_t { kAny, kOfficialImageNet };  // official: the archive's MD5 was right

struct PackedIndex {
  uint64_t plan = 0;            // hash of the set and of the options it was packed with
  uint64_t class_checksum = 0;  // xxh3 of classes.txt's bytes
  uint32_t decoded_size = 0;    // side of the images as pixels; 0 = they are encoded
  Origin origin = Origin::kAny;
  std::vector<PackedShard> shards{};
  std::vector<PackedImage> images{};  // sorted by shard, then by place in the file
  bool operator==(const PackedIndex&) const = default;
};

std::string write_index(const PackedIndex& index);  // its bytes
// name is the file's, for messages. Throws DataError.
PackedIndex parse_index(const std::string& bytes, const std::string& name);
PackedIndex read_index(const std::string& path);

// Names inside a packed folder.
std::string split_name(Split split);                                            // "train", "val"
std::string index_path(const std::string& folder, Split split);                 // FOLDER/train.index
std::string shard_path(const std::string& folder, Split split, int64_t shard);  // FOLDER/train-00003.tar
std::string classes_path(const std::string& folder);                            // FOLDER/classes.txt

uint64_t checksum_of(const void* bytes, int64_t size);  // xxh3
uint64_t checksum_of(std::string_view bytes);

}  // namespace bn
