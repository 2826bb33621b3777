// Pixels to JPEG, by libjpeg-turbo, and to PNG, by zlib: a picture to look at needs no image library.
#include "packing/encode.hpp"

#include <fmt/format.h>
#include <jpeglib.h>  // after <cstdio>, which fmt includes: the header needs FILE
#include <zlib.h>

#include <csetjmp>
#include <cstdlib>

#include "bn/error.hpp"
#include "system/files.hpp"
#include "system/outputs.hpp"

namespace bn {
namespace {

struct EncoderErrors {
  jpeg_error_mgr manager{};  // first: libjpeg hands back a pointer to it
  jmp_buf escape{};
  char message[JMSG_LENGTH_MAX]{};
};

struct JpegEncoder {
  jpeg_compress_struct info{};
  EncoderErrors errors;
  uint8_t* buffer = nullptr;
  unsigned long size = 0;

  JpegEncoder() {
    info.err = jpeg_std_error(&errors.manager);
    errors.manager.error_exit = [](j_common_ptr common) {
      auto* own = reinterpret_cast<EncoderErrors*>(common->err);
      own->manager.format_message(common, own->message);
      std::longjmp(own->escape, 1);
    };
  }
  JpegEncoder(const JpegEncoder&) = delete;
  JpegEncoder& operator=(const JpegEncoder&) = delete;
  ~JpegEncoder() {
    jpeg_destroy_compress(&info);
    std::free(buffer);
  }
};

// False after an error. Nothing in this frame needs a destructor: longjmp runs none.
bool write_jpeg(JpegEncoder& encoder, const ImageView& image, int64_t quality) {
  auto& info = encoder.info;
  if (setjmp(encoder.errors.escape) != 0) return false;
  jpeg_create_compress(&info);
  jpeg_mem_dest(&info, &encoder.buffer, &encoder.size);
  info.image_width = static_cast<JDIMENSION>(image.width);
  info.image_height = static_cast<JDIMENSION>(image.height);
  info.input_components = static_cast<int>(image.channels);
  info.in_color_space = image.channels == 1 ? JCS_GRAYSCALE : JCS_RGB;
  jpeg_set_defaults(&info);
  jpeg_set_quality(&info, static_cast<int>(quality), TRUE);
  info.optimize_coding = TRUE;
  jpeg_start_compress(&info, TRUE);
  while (info.next_scanline < info.image_height) {
    auto* row = const_cast<uint8_t*>(image.data + info.next_scanline * image.width * image.channels);
    jpeg_write_scanlines(&info, &row, 1);
  }
  jpeg_finish_compress(&info);
  return true;
}

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

std::vector<uint8_t> encode_jpeg(const ImageView& image, int64_t quality) {
  JpegEncoder encoder;
  if (!write_jpeg(encoder, image, quality)) {
    throw DataError(fmt::format("cannot encode an image of {} x {} pixels as JPEG ({})", image.width, image.height,
                                encoder.errors.message));
  }
  return {encoder.buffer, encoder.buffer + encoder.size};
}

std::vector<uint8_t> encode_png(const ImageView& image, std::string_view mark) {
  constexpr int64_t kTypeBytes = 4;
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
  if (!mark.empty()) append_chunk(png, "tEXt", {mark.begin() + kTypeBytes, mark.end()});
  append_chunk(png, "IDAT", packed);
  append_chunk(png, "IEND", {});
  return png;
}

void write_sheet(const ImageView& image, const std::string& path) {
  expect_own_picture("--contact-sheet", path);
  const std::vector<uint8_t> png = encode_png(image, kPictureMark);
  write_file(path, {reinterpret_cast<const char*>(png.data()), png.size()});
}

}  // namespace bn
