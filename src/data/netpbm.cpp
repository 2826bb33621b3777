#include "data/netpbm.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "bn/error.hpp"
#include "data/decode.hpp"

namespace bn {
namespace {

constexpr int64_t kFullByte = 255, kFullWord = 65535;

int64_t byte_at(const FileHeader& file, int64_t at) { return file.number(at, 1, ByteOrder::kBig); }

// Moves `at` over blanks and comments; false if no number follows.
bool find_number(const FileHeader& file, int64_t& at) {
  for (bool comment = false; at < file.size(); ++at) {
    const int64_t byte = byte_at(file, at);
    if (!comment && byte > ' ' && byte != '#') return byte >= '0' && byte <= '9';
    comment = byte == '#' || (comment && byte != '\n');
  }
  return false;
}

// Too many digits give UINT32_MAX. `at` is then behind the number.
int64_t number_at(const FileHeader& file, int64_t& at) {
  int64_t value = 0;
  for (; at < file.size() && byte_at(file, at) >= '0' && byte_at(file, at) <= '9'; ++at) {
    value = std::min<int64_t>(10 * value + byte_at(file, at) - '0', UINT32_MAX);
  }
  return value;
}

int64_t number_after_blanks(const FileHeader& file, int64_t& at) {
  return find_number(file, at) ? number_at(file, at) : 0;
}

bool is_text(const NetpbmHeader& header) { return header.kind == 2 || header.kind == 3; }

int64_t channels_of(const NetpbmHeader& header) { return header.kind == 3 || header.kind == 6 ? 3 : 1; }

void check_value(int64_t value, int64_t maximum) {
  if (value <= maximum) return;
  throw DataError(
      fmt::format("a pixel's value is {}, but the file's header says that the largest is {}", value, maximum));
}

void check_text(const FileHeader& file, const NetpbmHeader& header) {
  for (int64_t at = header.pixels; find_number(file, at);) check_value(number_at(file, at), header.maximum);
}

// Each value as a byte, cut off like OpenCV's for text.
void read_values(const FileHeader& file, const NetpbmHeader& header, Image& out) {
  int64_t at = header.pixels;
  const int64_t bytes = header.maximum > kFullByte ? 2 : 1;
  for (uint8_t& pixel : out.pixels) {
    const bool is_there = is_text(header) ? find_number(file, at) : at <= file.size() - bytes;
    if (!is_there) throw DataError("the image data is cut off");
    int64_t value = 0;
    if (is_text(header)) {
      value = number_at(file, at);
    } else {
      value = file.number(at, bytes, ByteOrder::kBig);
      at += bytes;
    }
    check_value(value, header.maximum);
    pixel = static_cast<uint8_t>(value * kFullByte / header.maximum);
  }
}

}  // namespace

NetpbmHeader netpbm_header(const FileHeader& file) {
  NetpbmHeader header;
  if (!file.begins("P") || byte_at(file, 1) < '1' || byte_at(file, 1) > '6') return header;
  header.kind = byte_at(file, 1) - '0';
  int64_t at = 2;
  header.width = number_after_blanks(file, at);
  header.height = number_after_blanks(file, at);
  const bool is_bitmap = header.kind == 1 || header.kind == 4;
  if (!is_bitmap) header.maximum = number_after_blanks(file, at);
  header.pixels = at + 1;
  return header;
}

bool decode_netpbm(const FileHeader& file, int64_t channels, Image& out) {
  const NetpbmHeader header = netpbm_header(file);
  const bool is_possible = header.width > 0 && header.height > 0 && header.maximum > 0 && header.maximum <= kFullWord;
  if (!is_possible) return false;  // another format, or OpenCV refuses it
  const bool opencv_knows_the_maximum =
      header.maximum == kFullByte || header.maximum == kFullWord || (is_text(header) && header.maximum < kFullByte);
  if (opencv_knows_the_maximum) {
    if (is_text(header)) check_text(file, header);
    return false;
  }
  Image stored;
  const int64_t stored_channels = channels_of(header);
  // Each value takes a byte at least: memory is not taken for what a short file claims.
  if (header.width > file.size() / header.height) throw DataError("the image data is cut off");
  stored.reshape(header.height, header.width, stored_channels);
  read_values(file, header, stored);
  convert_channels(stored.view(), channels, out);
  return true;
}

}  // namespace bn
