#include "data/decode.hpp"

#include <fmt/format.h>
#include <jpeglib.h>  // after <cstdio>, which fmt includes: the header needs FILE

#include <algorithm>
#include <csetjmp>
#include <opencv2/imgcodecs.hpp>
#include <opencv2/imgproc.hpp>

#include "bn/error.hpp"

// Last: its message codes are an enum of short names.
#include <jerror.h>

namespace bn {
namespace {

// A header of a few bytes can claim 65,500 x 65,500 pixels; refuse before allocating.
constexpr int64_t kMaxPixels = int64_t{1} << 28;

// libjpeg carries on after a warning and fills the rest with gray. These codes mean that pixels are missing or wrong;
// the others (stray bytes between markers, odd version numbers) occur in sound files.
bool is_damage(int code) {
  switch (code) {
    case JWRN_HIT_MARKER:
    case JWRN_HUFF_BAD_CODE:
    case JWRN_ARITH_BAD_CODE:
    case JWRN_JPEG_EOF:
    case JWRN_MUST_RESYNC:
    case JWRN_NOT_SEQUENTIAL:
    case JWRN_BOGUS_PROGRESSION:
      return true;
    default:
      return false;
  }
}

struct JpegErrors {
  jpeg_error_mgr manager{};  // first: libjpeg hands back a pointer to it
  jmp_buf escape{};
  char message[JMSG_LENGTH_MAX]{};
};

[[noreturn]] void leave_with_message(j_common_ptr info) {
  auto* errors = reinterpret_cast<JpegErrors*>(info->err);
  errors->manager.format_message(info, errors->message);
  std::longjmp(errors->escape, 1);
}

void on_message(j_common_ptr info, int level) {
  if (level < 0 && is_damage(info->err->msg_code)) leave_with_message(info);
}

// Owns the decompressor, so that an exception or a longjmp out of read_jpeg leaks nothing.
struct JpegReader {
  jpeg_decompress_struct info{};
  JpegErrors errors;

  JpegReader() {
    info.err = jpeg_std_error(&errors.manager);
    errors.manager.error_exit = leave_with_message;
    errors.manager.emit_message = on_message;
    errors.manager.output_message = [](j_common_ptr) {};
  }
  JpegReader(const JpegReader&) = delete;
  JpegReader& operator=(const JpegReader&) = delete;
  ~JpegReader() { jpeg_destroy_decompress(&info); }
};

void refuse_huge(int64_t width, int64_t height) {
  if (width * height <= kMaxPixels) return;
  throw DataError(fmt::format("the image claims {} x {} pixels, more than the {} accepted", width, height, kMaxPixels));
}

// Rows of libjpeg's colour space into out, whose row is out.width * out.channels bytes.
void read_rows(jpeg_decompress_struct& info, Image& out) {
  constexpr int kRows = 8;
  const int64_t stride = out.width * out.channels;
  while (info.output_scanline < info.output_height) {
    JSAMPROW rows[kRows];
    const int count = static_cast<int>(std::min<int64_t>(kRows, info.output_height - info.output_scanline));
    for (int i = 0; i < count; ++i) rows[i] = out.pixels.data() + (info.output_scanline + i) * stride;
    jpeg_read_scanlines(&info, rows, static_cast<JDIMENSION>(count));
  }
}

// False after an error, described in reader.errors.message. Nothing in this frame needs a destructor: longjmp runs
// none.
bool read_jpeg(JpegReader& reader, const uint8_t* bytes, int64_t size, int64_t channels, Image& out) {
  auto& info = reader.info;
  if (setjmp(reader.errors.escape) != 0) return false;
  jpeg_create_decompress(&info);
  jpeg_mem_src(&info, bytes, static_cast<unsigned long>(size));
  jpeg_read_header(&info, TRUE);
  refuse_huge(info.image_width, info.image_height);
  const bool four_inks = info.jpeg_color_space == JCS_CMYK || info.jpeg_color_space == JCS_YCCK;
  info.out_color_space = four_inks ? JCS_CMYK : channels == 1 ? JCS_GRAYSCALE : JCS_RGB;
  jpeg_start_decompress(&info);
  out.reshape(info.output_height, info.output_width, info.output_components);
  read_rows(info, out);
  jpeg_finish_decompress(&info);
  return true;
}

// Adobe writes ink complements: 255 is no ink. In place, four bytes to three.
void cmyk_to_rgb(Image& image, bool complemented) {
  const int64_t pixels = image.height * image.width;
  const int flip = complemented ? 0 : 255;
  for (int64_t i = 0; i < pixels; ++i) {
    const uint8_t* ink = image.pixels.data() + 4 * i;
    const int black = ink[3] ^ flip;
    const int colour[3] = {ink[0] ^ flip, ink[1] ^ flip, ink[2] ^ flip};
    for (int c = 0; c < 3; ++c) image.pixels[3 * i + c] = static_cast<uint8_t>((colour[c] * black + 127) / 255);
  }
  image.reshape(image.height, image.width, 3);
}

void decode_jpeg(const uint8_t* bytes, int64_t size, int64_t channels, Image& out) {
  JpegReader reader;
  if (!read_jpeg(reader, bytes, size, channels, out)) {
    throw DataError(fmt::format("the JPEG data is damaged or cut off ({})", reader.errors.message));
  }
  if (out.channels != 4) return;
  cmyk_to_rgb(out, reader.info.saw_Adobe_marker);
  if (channels == 1) {
    Image gray;
    convert_channels(out.view(), 1, gray);
    out = std::move(gray);
  }
}

void decode_with_opencv(const uint8_t* bytes, int64_t size, int64_t channels, Image& out) {
  const cv::Mat encoded(1, static_cast<int>(size), CV_8UC1, const_cast<uint8_t*>(bytes));
  const int mode = (channels == 1 ? cv::IMREAD_GRAYSCALE : cv::IMREAD_COLOR) | cv::IMREAD_IGNORE_ORIENTATION;
  cv::Mat decoded;
  try {
    decoded = cv::imdecode(encoded, mode);
  } catch (const cv::Exception& error) {
    throw DataError(fmt::format("the image data is damaged ({})", error.err));
  }
  if (decoded.empty()) throw DataError("the data is damaged or in no known image format (JPEG, PNG, BMP, WebP, ...)");
  refuse_huge(decoded.cols, decoded.rows);
  out.reshape(decoded.rows, decoded.cols, channels);
  cv::Mat target(decoded.rows, decoded.cols, channels == 1 ? CV_8UC1 : CV_8UC3, out.pixels.data());
  if (channels == 1) {
    decoded.copyTo(target);
  } else {
    cv::cvtColor(decoded, target, cv::COLOR_BGR2RGB);
  }
}

}  // namespace

void decode_image(const uint8_t* bytes, int64_t size, int64_t channels, Image& out) {
  if (size == 0) throw DataError("the file is empty");
  if (size > INT32_MAX) throw DataError(fmt::format("the file has {} bytes, too many for one image", size));
  const bool is_jpeg = size >= 2 && bytes[0] == 0xFF && bytes[1] == 0xD8;
  if (is_jpeg) {
    decode_jpeg(bytes, size, channels, out);
  } else {
    decode_with_opencv(bytes, size, channels, out);
  }
}

void convert_channels(const ImageView& view, int64_t channels, Image& out) {
  out.reshape(view.height, view.width, channels);
  const int64_t pixels = view.height * view.width;
  uint8_t* target = out.pixels.data();
  if (view.channels == channels) {
    std::copy_n(view.data, pixels * channels, target);
  } else if (channels == 3) {
    for (int64_t i = 0; i < pixels; ++i) std::fill_n(target + 3 * i, 3, view.data[i]);
  } else {
    for (int64_t i = 0; i < pixels; ++i) {
      const uint8_t* rgb = view.data + 3 * i;
      target[i] = static_cast<uint8_t>((19595 * rgb[0] + 38470 * rgb[1] + 7471 * rgb[2] + 32768) >> 16);
    }
  }
}

std::vector<uint8_t> encode_png(const ImageView& image) {
  const cv::Mat pixels(static_cast<int>(image.height), static_cast<int>(image.width),
                       image.channels == 1 ? CV_8UC1 : CV_8UC3, const_cast<uint8_t*>(image.data));
  cv::Mat bgr;  // not an alias of pixels: cvtColor would write into the caller's image
  if (image.channels == 3) cv::cvtColor(pixels, bgr, cv::COLOR_RGB2BGR);
  std::vector<uint8_t> png;
  cv::imencode(".png", image.channels == 3 ? bgr : pixels, png);
  return png;
}

}  // namespace bn
