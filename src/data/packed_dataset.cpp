// A set packed by bn-data: shards read in place through their index. Each image's checksum is compared when it is read,
// so the decoder gets the bytes that were packed, and those were decoded strictly then.
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <map>

#include "bn/error.hpp"
#include "data/class_list.hpp"
#include "data/file_reader.hpp"
#include "data/packed_index.hpp"
#include "data/sources.hpp"
#include "data/tar.hpp"
#include "system/files.hpp"

namespace bn {
namespace {

class PackedDataset final : public Dataset {
 public:
  PackedDataset(const std::string& folder, const DataOptions& options, Split split)
      : index_(read_index(index_path(folder, split))) {
    for (size_t shard = 0; shard < index_.shards.size(); ++shard) {
      const auto& file = shards_.emplace_back(shard_path(folder, split, static_cast<int64_t>(shard)));
      if (static_cast<uint64_t>(file.size()) != index_.shards[shard].bytes) {
        throw DataError(fmt::format("{} has {} bytes, but was packed with {}; bn-data verify tells more", file.path(),
                                    file.size(), index_.shards[shard].bytes));
      }
    }
    keep_classes(folder, options, index_path(folder, split));
    if (options.exif_orientation == ExifOrientation::kApply) expect_orientations(index_path(folder, split));
    if (index_.images.empty()) throw DataError(fmt::format("no images found in {}", index_path(folder, split)));
    shard_sizes_.resize(shards_.size());
    for (const PackedImage& image : index_.images) ++shard_sizes_[image.shard];
  }

  int64_t size() const override { return static_cast<int64_t>(index_.images.size()); }
  int32_t label(int64_t index) const override { return index_.images[static_cast<size_t>(index)].label; }
  const std::vector<std::string>& class_names() const override { return class_names_; }
  LeftOut left_out() const override { return left_out_; }
  std::vector<int64_t> shard_sizes() const override { return shard_sizes_; }
  int64_t stored_bytes(int64_t index) const override { return index_.images[static_cast<size_t>(index)].bytes; }
  std::optional<uint64_t> recorded_checksum(int64_t index) const override {
    return index_.images[static_cast<size_t>(index)].checksum;
  }

  uint64_t content_digest(int64_t index, int64_t, int64_t) const override { return *recorded_checksum(index); }

  std::string name(int64_t index) const override {
    const PackedImage& image = index_.images[static_cast<size_t>(index)];
    const FileReader& shard = shards_[image.shard];
    return fmt::format("{}:{}", std::filesystem::path(shard.path()).filename().string(),
                       member_name(shard, static_cast<int64_t>(image.offset)));
  }

  Sample read(int64_t index, std::vector<uint8_t>& storage) const override {
    storage.clear();
    const PackedImage& image = index_.images[static_cast<size_t>(index)];
    storage.resize(image.bytes);
    shards_[image.shard].read(static_cast<int64_t>(image.offset), image.bytes, storage.data());
    if (checksum_of(storage.data(), image.bytes) != image.checksum) {
      throw DataError("the bytes are not those that were packed: the checksum differs");
    }
    if (index_.decoded_size == 0) return {.data = storage.data(), .bytes = image.bytes};
    return {.data = storage.data(),
            .bytes = image.bytes,
            .raw_height = image.height,
            .raw_width = image.width,
            .raw_channels = 3,
            .resizing = Sample::Resizing::kAsEncoded};
  }

 private:
  // Labels are indices of the classes asked for; images of other classes are left out.
  void keep_classes(const std::string& folder, const DataOptions& options, const std::string& index) {
    const ClassList packed = read_class_file(classes_path(folder), 0);
    std::string text;
    read_file(classes_path(folder), text);
    if (checksum_of(text) != index_.class_checksum) {
      throw DataError(fmt::format("{} is not the one that {} was packed with, so its labels would mean other classes",
                                  classes_path(folder), index));
    }
    const bool own = options.classes.empty();
    const std::optional<ClassList> listed = listed_classes(options, options.classes_limit);
    const ClassList wanted = listed ? *listed : read_class_file(classes_path(folder), options.classes_limit);
    std::map<std::string, int64_t> unlisted;  // images by class
    for (PackedImage& image : index_.images) {
      if (image.label >= packed.size()) {
        throw DataError(fmt::format("an image in {} is of class {}, but {} names only {}", folder, image.label,
                                    classes_path(folder), packed.size()));
      }
      const std::string& name = packed.names()[static_cast<size_t>(image.label)];
      image.label = wanted.find(name);
      if (image.label < 0) ++unlisted[name];
    }
    add_unlisted(unlisted, left_out_);
    std::erase_if(index_.images, [](const PackedImage& image) { return image.label < 0; });
    class_names_ = wanted.names();
    if (own || index_.images.empty()) return;
    std::vector<int32_t> labels;
    for (const PackedImage& image : index_.images) labels.push_back(image.label);
    wanted.check_none_empty(labels, index);
  }

  void expect_orientations(const std::string& index) const {
    const auto lost = std::ranges::count_if(
        index_.images, [](const PackedImage& image) { return (image.traits & kTraitTurnLost) != 0; });
    if (lost == 0) return;
    throw DataError(
        fmt::format("{} of the images of {} were encoded anew without being turned as their EXIF data say, so "
                    "data.exif_orientation: apply cannot turn them: pack the set anew with --exif-orientation apply, "
                    "or train with ignore",
                    lost, index));
  }

  PackedIndex index_;
  std::vector<FileReader> shards_;
  std::vector<int64_t> shard_sizes_;
  std::vector<std::string> class_names_;
  LeftOut left_out_;
};

}  // namespace

std::unique_ptr<Dataset> open_packed(const DataOptions& options, Split split) {
  return std::make_unique<PackedDataset>(split_paths(options, split, 1, "one packed folder")[0], options, split);
}

}  // namespace bn
