// One image as it goes into a shard: decoded strictly, to know that it can be, and changed only if asked.
#pragma once

#include <vector>

#include "data/exif.hpp"
#include "data/jpeg.hpp"
#include "packing/pack.hpp"

namespace bn {

// A strict decode of the whole file; throws DataError.
struct Inspection {
  int64_t height = 0, width = 0;
  uint16_t traits = 0;
};

class ImagePacker {  // used by one thread
 public:
  explicit ImagePacker(const PackOptions& options) : options_(options) {}

  struct Result {
    const uint8_t* bytes = nullptr;  // valid until the next call
    int64_t size = 0;
    const char* extension = "";
    Inspection inspection{};  // size as packed, traits as found
  };
  Result prepare(const uint8_t* bytes, int64_t size);
  Inspection inspect(const uint8_t* bytes, int64_t size);  // the pixels are then in image()
  const Image& image() const { return image_; }

 private:
  void turn(Inspection& facts);

  PackOptions options_;
  JpegDecoder jpeg_;
  Image image_, changed_;
  Orientation orientation_;  // of the image inspected last
  std::vector<uint8_t> encoded_;
};

}  // namespace bn
