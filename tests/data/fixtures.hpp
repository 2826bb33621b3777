// Small data made up on the spot: idx, tar, gzip and image files, and data sets in memory.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "bn/dataset.hpp"
#include "bn/error.hpp"
#include "data/image.hpp"
#include "support/error_message.hpp"
#include "support/temporary_folder.hpp"

namespace bn::test {

using Bytes = std::vector<uint8_t>;

Bytes bytes_of(const std::string& text);
Bytes first_part(const Bytes& bytes, double share);  // cut off
Bytes gzip(const Bytes& bytes);

Bytes idx_images(int64_t count, int64_t height, int64_t width, const Bytes& pixels);
Bytes idx_labels(const Bytes& labels);

// A smooth colour gradient that depends on seed, so that no two are alike.
Bytes jpeg_image(int64_t height, int64_t width, int seed);
Bytes png_image(int64_t height, int64_t width, int seed);
// A JPEG of noise, `size` pixels high and wide, that lacks a part somewhat below its middle. Its end marker is there.
struct DamagedJpeg {
  Bytes whole, damaged;
};
DamagedJpeg damaged_jpeg(int64_t size);
// An EXIF block of one entry, the orientation, in either byte order; and a JPEG with it.
Bytes exif_block(uint8_t orientation, bool big_endian = true);
Bytes with_orientation(const Bytes& jpeg, uint8_t orientation, bool big_endian = true);
Bytes sample_bytes(const Dataset& set, int64_t index);
Image decode(const Bytes& bytes, int64_t channels = 3);
// Each pixel of this one ink mixture, as libjpeg stores it: Adobe's complements where there is Adobe's marker.
enum class FourInks { kCmyk, kYcck, kCmykWithoutMarker };
Bytes cmyk_jpeg_image(int64_t height, int64_t width, const std::vector<uint8_t>& stored_cmyk,
                      FourInks kind = FourInks::kCmyk);

// A ustar header; the caller may spoil it before its checksum is set by seal_tar_header.
Bytes tar_header(const std::string& path, int64_t size, char type = '0');
void seal_tar_header(Bytes& header);
void append(Bytes& to, const Bytes& bytes);
void append_padded(Bytes& to, const Bytes& bytes);  // pads to a multiple of 512
void append_member(Bytes& to, const std::string& path, const Bytes& bytes);
void close_tar(Bytes& tar);  // the two blocks of zeros

struct NamedBytes {
  std::string path;
  Bytes bytes;
};
Bytes tar_of(const std::vector<NamedBytes>& members);

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

// A file below BN_DATA_ROOT; "" if the variable is unset or the file is not there.
std::string real_data(const std::string& path);

#define REQUIRE_REAL_DATA(path)                                                                \
  if (bn::test::real_data(path).empty()) {                                                     \
    GTEST_SKIP() << "needs " << (path) << " under BN_DATA_ROOT, which is not set or has none"; \
  }

}  // namespace bn::test
