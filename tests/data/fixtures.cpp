#include "data/fixtures.hpp"

#include <zlib.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include <jpeglib.h>  // needs <cstdio> before it

#include "data/decode.hpp"
#include "packing/encode.hpp"

namespace bn::test {
namespace {

void append_big_endian(Bytes& to, int64_t value) {
  for (int shift = 24; shift >= 0; shift -= 8) to.push_back(static_cast<uint8_t>(value >> shift));
}

Image gradient(int64_t height, int64_t width, int seed) {
  Image image;
  image.reshape(height, width, 3);
  uint8_t* pixel = image.pixels.data();
  for (int64_t y = 0; y < height; ++y) {
    for (int64_t x = 0; x < width; ++x) {
      *pixel++ = static_cast<uint8_t>(200 - (23 * seed) % 120 - 60 * x / width);
      *pixel++ = static_cast<uint8_t>(60 + 120 * y / height);
      *pixel++ = static_cast<uint8_t>(40 + (37 * seed) % 160 + 50 * x / width);
    }
  }
  return image;
}

}  // namespace

Bytes bytes_of(const std::string& text) { return {text.begin(), text.end()}; }

Bytes first_part(const Bytes& bytes, double share) {
  return {bytes.begin(), bytes.begin() + static_cast<int64_t>(share * static_cast<double>(bytes.size()))};
}

Bytes gzip(const Bytes& bytes) {
  constexpr int kGzip = 15 + 16;
  z_stream stream{};
  deflateInit2(&stream, Z_BEST_SPEED, Z_DEFLATED, kGzip, 8, Z_DEFAULT_STRATEGY);
  Bytes packed(deflateBound(&stream, bytes.size()) + 32);
  stream.next_in = const_cast<uint8_t*>(bytes.data());
  stream.avail_in = static_cast<uInt>(bytes.size());
  stream.next_out = packed.data();
  stream.avail_out = static_cast<uInt>(packed.size());
  deflate(&stream, Z_FINISH);
  packed.resize(stream.total_out);
  deflateEnd(&stream);
  return packed;
}

Bytes idx_images(int64_t count, int64_t height, int64_t width, const Bytes& pixels) {
  Bytes bytes{0, 0, 8, 3};
  append_big_endian(bytes, count);
  append_big_endian(bytes, height);
  append_big_endian(bytes, width);
  append(bytes, pixels);
  return bytes;
}

Bytes idx_labels(const Bytes& labels) {
  Bytes bytes{0, 0, 8, 1};
  append_big_endian(bytes, static_cast<int64_t>(labels.size()));
  append(bytes, labels);
  return bytes;
}

Bytes jpeg_image(int64_t height, int64_t width, int seed) {
  constexpr int64_t kQuality = 95;
  return encode_jpeg(gradient(height, width, seed).view(), kQuality);
}
Bytes png_image(int64_t height, int64_t width, int seed) { return encode_png(gradient(height, width, seed).view()); }

DamagedJpeg damaged_jpeg(int64_t size) {
  constexpr int64_t kQuality = 90, kTail = 100;
  Image noise;
  noise.reshape(size, size, 3);
  uint32_t state = 1;
  for (uint8_t& value : noise.pixels) value = static_cast<uint8_t>((state = state * 1664525 + 1013904223) >> 24);
  DamagedJpeg jpeg{.whole = encode_jpeg(noise.view(), kQuality), .damaged = {}};
  jpeg.damaged = first_part(jpeg.whole, 0.6);
  jpeg.damaged.insert(jpeg.damaged.end(), jpeg.whole.end() - kTail, jpeg.whole.end());
  return jpeg;
}

Bytes cmyk_jpeg_image(int64_t height, int64_t width, const std::vector<uint8_t>& stored_cmyk, FourInks kind) {
  jpeg_compress_struct info{};
  jpeg_error_mgr errors{};
  info.err = jpeg_std_error(&errors);
  jpeg_create_compress(&info);
  uint8_t* buffer = nullptr;
  unsigned long size = 0;
  jpeg_mem_dest(&info, &buffer, &size);
  info.image_width = static_cast<JDIMENSION>(width);
  info.image_height = static_cast<JDIMENSION>(height);
  info.input_components = 4;
  info.in_color_space = JCS_CMYK;
  jpeg_set_defaults(&info);  // writes an Adobe marker for CMYK
  if (kind == FourInks::kYcck) jpeg_set_colorspace(&info, JCS_YCCK);
  if (kind == FourInks::kCmykWithoutMarker) info.write_Adobe_marker = FALSE;
  jpeg_set_quality(&info, 100, TRUE);
  jpeg_start_compress(&info, TRUE);
  Bytes row;
  for (int64_t x = 0; x < width; ++x) append(row, stored_cmyk);
  JSAMPROW rows[1] = {row.data()};
  for (int64_t y = 0; y < height; ++y) jpeg_write_scanlines(&info, rows, 1);
  jpeg_finish_compress(&info);
  Bytes bytes(buffer, buffer + size);
  jpeg_destroy_compress(&info);
  std::free(buffer);
  return bytes;
}

Bytes exif_block(uint8_t orientation, bool big_endian) {
  if (big_endian)
    return {'M', 'M', 0, 42, 0, 0, 0, 8, 0, 1, 1, 0x12, 0, 3, 0, 0, 0, 1, 0, orientation, 0, 0, 0, 0, 0, 0};
  return {'I', 'I', 42, 0, 8, 0, 0, 0, 1, 0, 0x12, 1, 3, 0, 1, 0, 0, 0, orientation, 0, 0, 0, 0, 0, 0, 0};
}

Bytes with_orientation(const Bytes& jpeg, uint8_t orientation, bool big_endian) {
  Bytes result{0xFF, 0xD8, 0xFF, 0xE1, 0, 34, 'E', 'x', 'i', 'f', 0, 0};
  append(result, exif_block(orientation, big_endian));
  append(result, {jpeg.begin() + 2, jpeg.end()});
  return result;
}

Bytes sample_bytes(const Dataset& set, int64_t index) {
  Bytes storage;
  const auto sample = set.read(index, storage);
  return {sample.data, sample.data + sample.bytes};
}

Image decode(const Bytes& bytes, int64_t channels) {
  ImageDecoder decoder({.channels = channels});
  Image image;
  decoder.open(bytes.data(), static_cast<int64_t>(bytes.size()));
  decoder.decode(image);
  return image;
}

Bytes tar_header(const std::string& path, int64_t size, char type) {
  Bytes header(512);
  std::snprintf(reinterpret_cast<char*>(header.data()), 100, "%s", path.c_str());
  std::snprintf(reinterpret_cast<char*>(header.data()) + 100, 8, "0000644");
  std::snprintf(reinterpret_cast<char*>(header.data()) + 124, 12, "%011llo", static_cast<unsigned long long>(size));
  header[156] = static_cast<uint8_t>(type);
  std::memcpy(header.data() + 257, "ustar\00000", 8);
  seal_tar_header(header);
  return header;
}

void seal_tar_header(Bytes& header) {
  std::memset(header.data() + 148, ' ', 8);
  unsigned sum = 0;
  for (const uint8_t byte : header) sum += byte;
  std::snprintf(reinterpret_cast<char*>(header.data()) + 148, 8, "%06o", sum);
}

void append(Bytes& to, const Bytes& bytes) { to.insert(to.end(), bytes.begin(), bytes.end()); }

void append_padded(Bytes& to, const Bytes& bytes) {
  append(to, bytes);
  to.resize((to.size() + 511) / 512 * 512);
}

void append_member(Bytes& to, const std::string& path, const Bytes& bytes) {
  append(to, tar_header(path, static_cast<int64_t>(bytes.size())));
  append_padded(to, bytes);
}

void close_tar(Bytes& tar) { tar.resize(tar.size() + 1024); }

Bytes tar_of(const std::vector<NamedBytes>& members) {
  Bytes tar;
  for (const auto& member : members) append_member(tar, member.path, member.bytes);
  close_tar(tar);
  return tar;
}

std::string real_data(const std::string& path) {
  const char* root = std::getenv("BN_DATA_ROOT");
  if (root == nullptr) return "";
  const auto full = std::filesystem::path(root) / path;
  return std::filesystem::exists(full) ? full.string() : "";
}

}  // namespace bn::test
