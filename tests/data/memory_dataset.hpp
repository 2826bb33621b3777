// Data sets held in memory, for the tests of the steps after reading.
#pragma once

#include <algorithm>
#include <functional>

#include "bn/dataset.hpp"
#include "data/fixtures.hpp"

namespace bn::test {

// Raw images; pixel j of image i is 7 i + j. Labels are the index.
class RawSet final : public Dataset {
 public:
  RawSet(int64_t count, int64_t size, int64_t channels) : size_(size), channels_(channels) {
    for (int64_t i = 0; i < count; ++i) {
      Bytes& image = images_.emplace_back(static_cast<size_t>(size * size * channels));
      for (size_t j = 0; j < image.size(); ++j) image[j] = static_cast<uint8_t>(7 * static_cast<size_t>(i) + j);
    }
  }

  int64_t size() const override { return static_cast<int64_t>(images_.size()); }
  int32_t label(int64_t index) const override { return static_cast<int32_t>(index); }
  std::string name(int64_t index) const override { return "raw/" + std::to_string(index); }
  const std::vector<std::string>& class_names() const override { return names_; }
  std::vector<int64_t> shard_sizes() const override { return shards.empty() ? std::vector{size()} : shards; }
  Sample read(int64_t index, std::vector<uint8_t>&) const override {
    const Bytes& image = images_[static_cast<size_t>(index)];
    return {.data = image.data(),
            .bytes = static_cast<int64_t>(image.size()),
            .raw_height = size_,
            .raw_width = size_,
            .raw_channels = channels_};
  }

  std::vector<int64_t> shards;  // one, unless set

 private:
  int64_t size_, channels_;
  std::vector<Bytes> images_;
  std::vector<std::string> names_;
};

// Encoded images; labels are the index. on_read, if set, is called by each read.
class EncodedSet final : public Dataset {
 public:
  explicit EncodedSet(std::vector<Bytes> files) : files_(std::move(files)) {}

  int64_t size() const override { return static_cast<int64_t>(files_.size()); }
  int32_t label(int64_t index) const override { return static_cast<int32_t>(index); }
  std::string name(int64_t index) const override { return "set/" + std::to_string(index) + ".jpg"; }
  const std::vector<std::string>& class_names() const override { return names_; }
  Sample read(int64_t index, std::vector<uint8_t>& storage) const override {
    storage.clear();
    if (on_read) on_read(index);
    storage = files_[static_cast<size_t>(index)];
    return {.data = storage.data(), .bytes = static_cast<int64_t>(storage.size())};
  }

  std::function<void(int64_t)> on_read;

 private:
  std::vector<Bytes> files_;
  std::vector<std::string> names_;
};

// JPEGs of different sizes; those listed in cut_off are truncated.
inline EncodedSet jpeg_set(int count, const std::vector<int>& cut_off = {}) {
  std::vector<Bytes> files;
  for (int i = 0; i < count; ++i) {
    const Bytes whole = jpeg_image(40 + i % 5 * 6, 36 + i % 3 * 20, i);
    const bool cut = std::find(cut_off.begin(), cut_off.end(), i) != cut_off.end();
    files.push_back(cut ? first_part(whole, 0.5) : whole);
  }
  return EncodedSet(std::move(files));
}

}  // namespace bn::test
