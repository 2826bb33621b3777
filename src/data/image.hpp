// u8 images between reading and the batch: rows top to bottom, channels innermost (gray, or R G B).
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <vector>

namespace bn {

struct ImageView {
  const uint8_t* data = nullptr;
  int64_t height = 0, width = 0, channels = 0;
};

// Owned pixels; a worker reuses one, so that its memory settles at the largest image.
struct Image {
  int64_t height = 0, width = 0, channels = 0;
  std::vector<uint8_t> pixels;

  void reshape(int64_t new_height, int64_t new_width, int64_t new_channels) {
    height = new_height, width = new_width, channels = new_channels;
    pixels.resize(static_cast<size_t>(height * width * channels));
  }
  // Does what reshape() does, but bytes behind the image may stay: the decoder overwrites them anyway, and zeros would
  // take time.
  void reshape_unfilled(int64_t new_height, int64_t new_width, int64_t new_channels) {
    height = new_height, width = new_width, channels = new_channels;
    const auto bytes = static_cast<size_t>(height * width * channels);
    if (pixels.size() < bytes) pixels.resize(bytes);
  }
  ImageView view() const { return {.data = pixels.data(), .height = height, .width = width, .channels = channels}; }
};

enum class ByteOrder { kLittle, kBig };

// Numbers of an encoded image's header. One that does not lie whole within the file reads as zero.
class FileHeader {
 public:
  FileHeader(const uint8_t* bytes, int64_t size) : bytes_(bytes), size_(size) {}

  int64_t size() const { return size_; }
  // This is as much of the part as lies within the file.
  FileHeader part(int64_t at, int64_t bytes) const {
    const int64_t begin = std::min(at, size_);
    return {bytes_ + begin, std::min(bytes, size_ - begin)};
  }
  bool begins(std::string_view magic) const {
    return size_ >= static_cast<int64_t>(magic.size()) && std::memcmp(bytes_, magic.data(), magic.size()) == 0;
  }
  int64_t number(int64_t at, int64_t count, ByteOrder order) const {
    int64_t value = 0;
    for (int64_t i = 0; i < count && at <= size_ - count; ++i) {
      value = value << 8 | bytes_[order == ByteOrder::kBig ? at + i : at + count - 1 - i];
    }
    return value;
  }

 private:
  const uint8_t* bytes_;
  int64_t size_;
};

}  // namespace bn
