// Writes indexes for the fuzzing of packed sets to begin with, into the folder named: one without images, one of files,
// one of pixels.
#include "data/packed_index.hpp"
#include "support/temporary_folder.hpp"

namespace {

bn::PackedIndex index_of(uint32_t decoded_size) {
  bn::PackedIndex index{.plan = 1, .class_checksum = 2, .decoded_size = decoded_size};
  index.shards = {{.bytes = 20000, .checksum = 3}, {.bytes = 20000, .checksum = 4}};
  for (uint16_t i = 0; i < 6; ++i) {
    const uint16_t side = decoded_size > 0 ? static_cast<uint16_t>(decoded_size) : uint16_t{40};
    index.images.push_back({.offset = uint64_t{512} + 2048 * (i % 3U),
                            .bytes = decoded_size > 0 ? 3U * side * side : 1000U,
                            .label = i % 2,
                            .width = side,
                            .height = side,
                            .shard = static_cast<uint16_t>(i / 3)});
  }
  return index;
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 2) return 2;
  const std::string folder = arguments[1];
  bn::test::write_bytes(folder + "/seed_empty", bn::write_index({}));
  bn::test::write_bytes(folder + "/seed_files", bn::write_index(index_of(0)));
  bn::test::write_bytes(folder + "/seed_pixels", bn::write_index(index_of(16)));
  return 0;
}
