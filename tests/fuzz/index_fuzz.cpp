// Any bytes as the index of a packed set; and again with the checksum that they would need, to come past it. An
// accepted index is then read, and a batch is made from it, from shards of zeros whose checksums are right.
#include <cstring>
#include <filesystem>

#include "bn/error.hpp"
#include "bn/loader.hpp"
#include "data/packed_index.hpp"
#include "support/temporary_folder.hpp"

namespace {

// A folder with the set; its shards are holes.
void write_set(const std::string& folder, bn::PackedIndex index) {
  for (bn::PackedImage& image : index.images) {
    const std::vector<uint8_t> zeros(image.bytes);
    image.checksum = bn::checksum_of(zeros.data(), image.bytes);
  }
  for (size_t shard = 0; shard < index.shards.size(); ++shard) {
    const std::string path = bn::shard_path(folder, bn::Split::kTrain, static_cast<int64_t>(shard));
    bn::test::write_bytes(path, "");
    std::filesystem::resize_file(path, index.shards[shard].bytes);
  }
  bn::test::write_bytes(bn::classes_path(folder), "a\nb\n");
  bn::test::write_bytes(bn::index_path(folder, bn::Split::kTrain), bn::write_index(index));
}

void read(const bn::PackedIndex& index) {
  constexpr uint64_t kMaxShards = 3, kMaxImages = 20, kMaxBytes = 1 << 20;  // more only takes longer
  if (index.shards.size() > kMaxShards || index.images.size() > kMaxImages) return;
  for (const bn::PackedShard& shard : index.shards) {
    if (shard.bytes > kMaxBytes) return;
  }
  static const bn::test::TemporaryFolder folder;
  write_set(folder.path(), index);
  const bn::DataOptions options{.kind = bn::DatasetKind::kPacked,
                                .train = {folder.path()},
                                .image_size = 8,
                                .resize_shorter = 8,
                                .on_corrupt = bn::OnCorrupt::kSkip,
                                .workers = 0};
  const auto set = bn::open_dataset(options, bn::Split::kTrain);
  bn::Loader loader(*set, options, {.batch = set->size(), .split = bn::Split::kValidation});
  bn::Batch batch;
  loader.next(batch);
}

void parse(const std::string& bytes) {
  try {
    const bn::PackedIndex index = bn::parse_index(bytes, "index");
    if (bn::write_index(index).size() != bytes.size()) std::abort();
    read(index);
  } catch (const bn::Error&) {  // the promised error
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  std::string text(reinterpret_cast<const char*>(bytes), size);
  parse(text);
  constexpr size_t kSum = sizeof(uint64_t);
  if (size <= kSum) return 0;
  const uint64_t sum = bn::checksum_of(text.data(), static_cast<int64_t>(size - kSum));
  std::memcpy(text.data() + size - kSum, &sum, kSum);
  parse(text);
  return 0;
}
