#include "data/packed_index.hpp"

#include <fmt/format.h>
#include <xxhash.h>

#include <bit>
#include <cstring>

#include "bn/error.hpp"
#include "system/files.hpp"

namespace bn {
namespace {

static_assert(std::endian::native == std::endian::little, "the index is read and written as it lies in memory");

struct Head {
  char magic[8] = {'B', 'N', 'P', 'A', 'C', 'K', '0', '1'};
  uint64_t plan = 0, class_checksum = 0;
  uint64_t shards = 0, images = 0;
  uint32_t decoded_size = 0;
  Origin origin = Origin::kAny;
};
static_assert(sizeof(Head) == 48);

constexpr uint64_t kMaxShards = 65536;  // a shard's number has 16 bits
constexpr uint64_t kMaxImages = uint64_t{1} << 40;

template <class Values>
void append(std::string& bytes, const Values& values) {
  if (values.empty()) return;
  bytes.append(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(values[0]));
}

void check_images(const PackedIndex& index, const std::string& name) {
  uint16_t shard = 0;
  for (const PackedImage& image : index.images) {
    const bool fits = image.shard < index.shards.size() && image.shard >= shard &&
                      image.offset <= index.shards[image.shard].bytes &&
                      image.bytes <= index.shards[image.shard].bytes - image.offset;
    if (!fits || image.label < 0) {
      throw DataError(fmt::format("the index {} is damaged: an image lies outside its shard", name));
    }
    const uint64_t side = index.decoded_size;  // 0: encoded
    if (side > 0 && (image.width != side || image.height != side || image.bytes != 3 * side * side)) {
      throw DataError(fmt::format("the index {} is damaged: an image is not of {} x {} pixels", name, side, side));
    }
    shard = image.shard;
  }
}

}  // namespace

uint64_t checksum_of(const void* bytes, int64_t size) { return XXH3_64bits(bytes, static_cast<size_t>(size)); }
uint64_t checksum_of(std::string_view bytes) { return XXH3_64bits(bytes.data(), bytes.size()); }

std::string write_index(const PackedIndex& index) {
  Head head;
  head.plan = index.plan;
  head.class_checksum = index.class_checksum;
  head.shards = index.shards.size();
  head.images = index.images.size();
  head.decoded_size = index.decoded_size;
  head.origin = index.origin;
  std::string bytes(reinterpret_cast<const char*>(&head), sizeof(head));
  append(bytes, index.shards);
  append(bytes, index.images);
  const uint64_t sum = checksum_of(bytes);
  bytes.append(reinterpret_cast<const char*>(&sum), sizeof(sum));
  return bytes;
}

PackedIndex parse_index(const std::string& bytes, const std::string& name) {
  Head head;
  uint64_t sum = 0;
  if (bytes.size() < sizeof(head) + sizeof(sum) || std::memcmp(bytes.data(), head.magic, sizeof(head.magic)) != 0) {
    throw DataError(fmt::format("{} is no index of a packed set, or of another version", name));
  }
  std::memcpy(&head, bytes.data(), sizeof(head));
  const bool sane = head.shards <= kMaxShards && head.images <= kMaxImages;
  const uint64_t expected =
      sizeof(head) + head.shards * sizeof(PackedShard) + head.images * sizeof(PackedImage) + sizeof(sum);
  if (!sane || bytes.size() != expected) {
    throw DataError(
        fmt::format("the index {} is cut off or damaged: it has {} bytes, not those of {} images in {} shards", name,
                    bytes.size(), head.images, head.shards));
  }
  std::memcpy(&sum, bytes.data() + bytes.size() - sizeof(sum), sizeof(sum));
  if (sum != checksum_of(bytes.data(), static_cast<int64_t>(bytes.size() - sizeof(sum)))) {
    throw DataError(fmt::format("the index {} is damaged: its checksum is wrong", name));
  }
  PackedIndex index{.plan = head.plan,
                    .class_checksum = head.class_checksum,
                    .decoded_size = head.decoded_size,
                    .origin = head.origin};
  index.shards.resize(head.shards);
  index.images.resize(head.images);
  const char* at = bytes.data() + sizeof(head);
  if (head.shards > 0) std::memcpy(index.shards.data(), at, head.shards * sizeof(PackedShard));
  at += head.shards * sizeof(PackedShard);
  if (head.images > 0) std::memcpy(index.images.data(), at, head.images * sizeof(PackedImage));
  check_images(index, name);
  return index;
}

PackedIndex read_index(const std::string& path) {
  std::string bytes;
  if (read_file(path, bytes) == ReadResult::kMissing) {
    throw DataError(fmt::format("cannot open the index {}: it is not there; pack the set with bn-data pack", path));
  }
  return parse_index(bytes, path);
}

std::string split_name(Split split) { return split == Split::kTrain ? "train" : "val"; }

std::string index_path(const std::string& folder, Split split) {
  return fmt::format("{}/{}.index", folder, split_name(split));
}

std::string shard_path(const std::string& folder, Split split, int64_t shard) {
  return fmt::format("{}/{}-{:05}.tar", folder, split_name(split), shard);
}

std::string classes_path(const std::string& folder) { return folder + "/classes.txt"; }

}  // namespace bn
