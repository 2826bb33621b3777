// Pixels to JPEG, by libjpeg-turbo.
#include "packing/encode.hpp"

#include <fmt/format.h>
#include <jpeglib.h>  // after <cstdio>, which fmt includes: the header needs FILE

#include <csetjmp>
#include <cstdlib>

#include "bn/error.hpp"
#include "data/decode.hpp"
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

}  // namespace

std::vector<uint8_t> encode_jpeg(const ImageView& image, int64_t quality) {
  JpegEncoder encoder;
  if (!write_jpeg(encoder, image, quality)) {
    throw DataError(fmt::format("cannot encode an image of {} x {} pixels as JPEG ({})", image.width, image.height,
                                encoder.errors.message));
  }
  return {encoder.buffer, encoder.buffer + encoder.size};
}

void write_sheet(const ImageView& image, const std::string& path) {
  expect_own_picture("--contact-sheet", path);
  const std::vector<uint8_t> png = encode_png(image, kPictureMark);
  write_file(path, {reinterpret_cast<const char*>(png.data()), png.size()});
}

}  // namespace bn
