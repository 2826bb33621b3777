// The readers of files that others made, each of which libFuzzer gives any bytes: BN_FUZZ_READER names one of kReaders.
#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <map>
#include <string>

#include "bn/config.hpp"
#include "bn/error.hpp"
#include "bn/loader.hpp"
#include "data/decode.hpp"
#include "data/packed_index.hpp"
#include "data/tar.hpp"
#include "support/temporary_folder.hpp"

namespace bn::test {
namespace {

// Bytes as a file with a path, for readers that take one.
class MemoryFile {
 public:
  MemoryFile(const uint8_t* bytes, size_t size) : descriptor_(memfd_create("fuzz", 0)) {
    if (descriptor_ < 0 || write(descriptor_, bytes, size) != static_cast<ssize_t>(size)) std::abort();
  }
  MemoryFile(const MemoryFile&) = delete;
  MemoryFile& operator=(const MemoryFile&) = delete;
  ~MemoryFile() { close(descriptor_); }

  std::string path() const { return "/proc/self/fd/" + std::to_string(descriptor_); }

 private:
  int descriptor_;
};

// Readers throw nothing but this.
template <class Work>
void but_for_promised_errors(const Work& work) {
  try {
    work();
  } catch (const Error&) {
  }
}

// Any bytes as a tar file, and as a tar inside one.
void fuzz_tar(const uint8_t* bytes, size_t size) {
  const MemoryFile file(bytes, size);
  but_for_promised_errors([&] {
    const FileReader reader(file.path());
    for (const TarMember& member : list_tar(reader)) {
      if (member.offset < 0 || member.size < 0 || member.offset + member.size > reader.size()) std::abort();
      member_name(reader, member.offset);
      but_for_promised_errors([&] { list_tar_inside(reader, member); });
    }
  });
}

// Any bytes as idx files of images and labels; the first byte says where the one ends and the other begins.
void fuzz_idx(const uint8_t* bytes, size_t size) {
  if (size == 0) return;
  const size_t labels = (size - 1) * bytes[0] / 256;  // the labels are at the end
  const MemoryFile image_file(bytes + 1, size - 1 - labels), label_file(bytes + size - labels, labels);
  const DataOptions options{.kind = DatasetKind::kMnist, .train = {image_file.path(), label_file.path()}};
  but_for_promised_errors([&] {
    const auto set = open_dataset(options, Split::kTrain);
    std::vector<uint8_t> storage;
    for (int64_t i = 0; i < set->size(); ++i) {
      const auto sample = set->read(i, storage);
      if (sample.bytes != sample.raw_height * sample.raw_width * sample.raw_channels || set->label(i) < 0) std::abort();
    }
  });
}

// A folder with the set; its shards are holes.
void write_set(const std::string& folder, PackedIndex index) {
  for (PackedImage& image : index.images) {
    const std::vector<uint8_t> zeros(image.bytes);
    image.checksum = checksum_of(zeros.data(), image.bytes);
  }
  for (size_t shard = 0; shard < index.shards.size(); ++shard) {
    const std::string path = shard_path(folder, Split::kTrain, static_cast<int64_t>(shard));
    write_bytes(path, "");
    std::filesystem::resize_file(path, index.shards[shard].bytes);
  }
  write_bytes(classes_path(folder), "a\nb\n");
  write_bytes(index_path(folder, Split::kTrain), write_index(index));
}

// A batch is made from it, from shards of zeros whose checksums are right.
void read(const PackedIndex& index) {
  constexpr uint64_t kMaxShards = 3, kMaxImages = 20, kMaxBytes = 1 << 20;  // more only takes longer
  if (index.shards.size() > kMaxShards || index.images.size() > kMaxImages) return;
  for (const PackedShard& shard : index.shards) {
    if (shard.bytes > kMaxBytes) return;
  }
  static const TemporaryFolder folder;
  write_set(folder.path(), index);
  const DataOptions options{.kind = DatasetKind::kPacked,
                            .train = {folder.path()},
                            .image_size = 8,
                            .resize_shorter = 8,
                            .on_corrupt = OnCorrupt::kSkip,
                            .workers = 0};
  const auto set = open_dataset(options, Split::kTrain);
  Loader loader(*set, options, {.batch = set->size(), .split = Split::kValidation});
  Batch batch;
  loader.next(batch);
}

void parse_index_of(const std::string& bytes) {
  but_for_promised_errors([&] {
    const PackedIndex index = parse_index(bytes, "index");
    if (write_index(index).size() != bytes.size()) std::abort();
    read(index);
  });
}

// Any bytes as the index of a packed set; and again with the checksum that they would need, to come past it.
void fuzz_index(const uint8_t* bytes, size_t size) {
  std::string text(reinterpret_cast<const char*>(bytes), size);
  parse_index_of(text);
  constexpr size_t kSum = sizeof(uint64_t);
  if (size <= kSum) return;
  const uint64_t sum = checksum_of(text.data(), static_cast<int64_t>(size - kSum));
  std::memcpy(text.data() + size - kSum, &sum, kSum);
  parse_index_of(text);
}

// Any bytes as a JPEG: its header, its EXIF block, the whole image and a part of it.
void decode(const uint8_t* bytes, int64_t size, int64_t channels, ExifOrientation exif) {
  constexpr int64_t kMaxPixels = 1 << 18;  // more only takes longer
  ImageDecoder decoder({.channels = channels, .exif_orientation = exif});
  Image image;
  but_for_promised_errors([&] {
    const Region whole = decoder.open(bytes, size);
    if (whole.height * whole.width > kMaxPixels) return;
    const Region part{.top = whole.height / 3,
                      .left = whole.width / 3,
                      .height = (whole.height + 2) / 3,
                      .width = (whole.width + 2) / 3};
    const Region place = decoder.decode_region(part, image);
    if (place.top + part.height > image.height || place.left + part.width > image.width) std::abort();
    decoder.open(bytes, size);
    decoder.decode(image);
    if (image.height != whole.height || image.width != whole.width || image.channels != channels) std::abort();
  });
}

void fuzz_jpeg(const uint8_t* bytes, size_t size) {
  const auto count = static_cast<int64_t>(size);
  exif_orientation(bytes, count);  // of any format
  if (!is_jpeg(bytes, count)) return;
  decode(bytes, count, 3, ExifOrientation::kApply);
  decode(bytes, count, 1, ExifOrientation::kIgnore);
}

// Any bytes as an experiment file; an accepted one must come back from its own resolved text.
void fuzz_config(const uint8_t* bytes, size_t size) {
  but_for_promised_errors([&] {
    const Config config = parse_config({reinterpret_cast<const char*>(bytes), size}, "fuzz.yaml");
    const std::string resolved = to_yaml(config);
    if (to_yaml(parse_config(resolved, "resolved.yaml")) != resolved) std::abort();
  });
}

using Reader = void (*)(const uint8_t* bytes, size_t size);
const std::map<std::string, Reader> kReaders{
    {"tar", fuzz_tar}, {"idx", fuzz_idx}, {"index", fuzz_index}, {"jpeg", fuzz_jpeg}, {"config", fuzz_config}};

Reader chosen_reader() {
  const char* name = std::getenv("BN_FUZZ_READER");
  return kReaders.at(name == nullptr ? "" : name);
}

}  // namespace
}  // namespace bn::test

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  static const bn::test::Reader kReader = bn::test::chosen_reader();
  kReader(bytes, size);
  return 0;
}
