// u8 images between reading and the batch: rows top to bottom, channels innermost (gray, or R G B).
#pragma once

#include <cstddef>
#include <cstdint>
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

}  // namespace bn
