// Writes PNG: zlib does the work, and a picture to look at needs no image library.
#include <zlib.h>

#include "bn/error.hpp"
#include "packing/encode.hpp"

namespace bn {
namespace {

void append_big_endian(std::vector<uint8_t>& to, int64_t value) {
  for (int shift = 24; shift >= 0; shift -= 8) to.push_back(static_cast<uint8_t>(value >> shift));
}

void append_chunk(std::vector<uint8_t>& png, const char* type, const std::vector<uint8_t>& data) {
  append_big_endian(png, static_cast<int64_t>(data.size()));
  const size_t begin = png.size();
  png.insert(png.end(), type, type + 4);
  png.insert(png.end(), data.begin(), data.end());
  append_big_endian(png, static_cast<int64_t>(crc32(0, png.data() + begin, static_cast<uInt>(png.size() - begin))));
}

// Subtracts from each byte the same channel of the pixel to its left: the difference compresses better than the byte.
std::vector<uint8_t> filtered_rows(const ImageView& image) {
  constexpr uint8_t kSub = 1;
  const int64_t row = image.width * image.channels;
  std::vector<uint8_t> bytes;
  bytes.reserve(static_cast<size_t>(image.height * (row + 1)));
  for (int64_t y = 0; y < image.height; ++y) {
    const uint8_t* pixels = image.data + y * row;
    bytes.push_back(kSub);
    for (int64_t i = 0; i < row; ++i) {
      bytes.push_back(static_cast<uint8_t>(pixels[i] - (i < image.channels ? 0 : pixels[i - image.channels])));
    }
  }
  return bytes;
}

}  // namespace

std::vector<uint8_t> encode_png(const ImageView& image) {
  constexpr uint8_t kGray = 0, kRgb = 2;
  std::vector<uint8_t> header;
  append_big_endian(header, image.width);
  append_big_endian(header, image.height);
  const uint8_t colours = image.channels == 1 ? kGray : kRgb;
  header.insert(header.end(), {8, colours, 0, 0, 0});  // bits, then zlib, filters, not interlaced

  const std::vector<uint8_t> rows = filtered_rows(image);
  uLongf size = compressBound(rows.size());
  std::vector<uint8_t> packed(size);
  if (compress(packed.data(), &size, rows.data(), rows.size()) != Z_OK) throw StorageError("cannot compress a PNG");
  packed.resize(size);

  std::vector<uint8_t> png{0x89, 'P', 'N', 'G', '\r', '\n', 0x1A, '\n'};
  append_chunk(png, "IHDR", header);
  append_chunk(png, "IDAT", packed);
  append_chunk(png, "IEND", {});
  return png;
}

}  // namespace bn
