#include "data/jpeg.hpp"

#include <fmt/format.h>
#include <jpeglib.h>  // after <cstdio>, which fmt includes: the header needs FILE

#include <algorithm>
#include <csetjmp>
#include <cstdio>

#include "bn/error.hpp"
#include "data/decode.hpp"

// It comes last: its message codes are an enum of short names.
#include <jerror.h>

namespace bn {
namespace {

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
  if (level >= 0) return;
  if (is_damage(info->err->msg_code)) leave_with_message(info);
  ++info->err->num_warnings;
}

// A progressive image of a few kilobytes can ask for minutes of work: each of its scans goes over all pixels.
void refuse_many_scans(j_common_ptr common) {
  constexpr int kMostScans = 100;  // encoders make about ten
  const auto* info = reinterpret_cast<j_decompress_ptr>(common);
  if (info->input_scan_number <= kMostScans) return;
  auto* errors = reinterpret_cast<JpegErrors*>(common->err);
  std::snprintf(errors->message, sizeof errors->message, "it has more than %d scans", kMostScans);
  std::longjmp(errors->escape, 1);
}

// Reads rows of libjpeg's colour space into out, whose row is out.width * out.channels bytes.
void read_rows(jpeg_decompress_struct& info, Image& out) {
  constexpr int64_t kRows = 8;
  const int64_t stride = out.width * out.channels;
  for (int64_t y = 0; y < out.height;) {
    JSAMPROW rows[kRows];
    const int64_t count = std::min(kRows, out.height - y);
    for (int64_t i = 0; i < count; ++i) rows[i] = out.pixels.data() + (y + i) * stride;
    y += jpeg_read_scanlines(&info, rows, static_cast<JDIMENSION>(count));
  }
}

// Adobe writes ink complements: 255 is no ink. The conversion works in place, four bytes to three.
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

// True if an end marker follows; such a pair of bytes does not occur inside coded data.
bool has_end_marker(const uint8_t* begin, const uint8_t* end) {
  for (const uint8_t* at = end - 1; at > begin; --at) {
    if (at[-1] == 0xFF && at[0] == 0xD9) return true;
  }
  return false;
}

}  // namespace

bool is_jpeg(const uint8_t* bytes, int64_t size) { return size >= 2 && bytes[0] == 0xFF && bytes[1] == 0xD8; }

struct JpegDecoder::Impl {
  jpeg_decompress_struct info{};
  JpegErrors errors;
  jpeg_progress_mgr progress{};
  int images = 0;

  Impl() {
    info.err = jpeg_std_error(&errors.manager);
    errors.manager.error_exit = leave_with_message;
    errors.manager.emit_message = on_message;
    errors.manager.output_message = [](j_common_ptr) {};
  }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;
  ~Impl() { jpeg_destroy_decompress(&info); }

  [[noreturn]] void fail() const {
    throw DataError(fmt::format("the JPEG data is damaged or cut off ({})", errors.message));
  }

  // An image without tables of its own must not be decoded by its predecessor's, which libjpeg keeps.
  void forget_last_image() {
    constexpr int kImagesADecompressor = 256;  // each leaves its tables in memory until the decompressor goes
    if (++images % kImagesADecompressor == 0) {
      jpeg_destroy_decompress(&info);
      jpeg_create_decompress(&info);
      info.progress = &progress;
      return;
    }
    jpeg_abort_decompress(&info);
    std::ranges::fill(info.quant_tbl_ptrs, nullptr);
    std::ranges::fill(info.dc_huff_tbl_ptrs, nullptr);
    std::ranges::fill(info.ac_huff_tbl_ptrs, nullptr);
  }

  // Each returns false after an error, described in errors.message.
  bool create() {
    if (setjmp(errors.escape) != 0) return false;
    jpeg_create_decompress(&info);
    progress.progress_monitor = refuse_many_scans;
    info.progress = &progress;
    return true;
  }

  bool read_header(const uint8_t* bytes, int64_t size) {
    if (setjmp(errors.escape) != 0) return false;
    forget_last_image();
    jpeg_mem_src(&info, bytes, static_cast<unsigned long>(size));
    jpeg_read_header(&info, TRUE);
    return true;
  }

  void choose_colours(int64_t channels) {
    const bool four_inks = info.jpeg_color_space == JCS_CMYK || info.jpeg_color_space == JCS_YCCK;
    info.out_color_space = four_inks ? JCS_CMYK : channels == 1 ? JCS_GRAYSCALE : JCS_RGB;
  }

  bool read_whole(int64_t channels, Image& out) {
    if (setjmp(errors.escape) != 0) return false;
    choose_colours(channels);
    jpeg_start_decompress(&info);
    out.reshape(info.output_height, info.output_width, info.output_components);
    read_rows(info, out);
    jpeg_finish_decompress(&info);
    return true;
  }

  // The rows below those read so far, as far as damage shows: their coefficients are read, but make no pixels. libjpeg
  // would skip to the end without reading them, so the last row, which is kept nowhere, is made.
  void read_to_the_end(uint8_t* row_memory) {
    const JDIMENSION rows = info.output_height - info.output_scanline;
    if (rows > 1) jpeg_skip_scanlines(&info, rows - 1);
    JSAMPROW row = row_memory;
    if (rows > 0) jpeg_read_scanlines(&info, &row, 1);
    jpeg_finish_decompress(&info);
  }

  // Widens the region's columns to whole blocks; those read are in the region after it.
  bool read_region(Region& region, int64_t channels, Image& out, RowsBelow below) {
    if (setjmp(errors.escape) != 0) return false;
    choose_colours(channels);
    jpeg_start_decompress(&info);
    auto left = static_cast<JDIMENSION>(region.left), width = static_cast<JDIMENSION>(region.width);
    jpeg_crop_scanline(&info, &left, &width);
    region.left = left;
    region.width = width;
    out.reshape_unfilled(region.height + 1, region.width, info.output_components);
    out.height = region.height;  // the row more is for read_to_the_end()
    if (region.top > 0) jpeg_skip_scanlines(&info, static_cast<JDIMENSION>(region.top));
    read_rows(info, out);
    if (below == RowsBelow::kChecked)
      read_to_the_end(out.pixels.data() + region.height * region.width * info.output_components);
    return true;
  }
};

JpegDecoder::JpegDecoder() : impl_(std::make_unique<Impl>()) {
  if (!impl_->create()) impl_->fail();
}

JpegDecoder::JpegDecoder(JpegDecoder&& other) noexcept = default;
JpegDecoder::~JpegDecoder() = default;

Region JpegDecoder::open(const uint8_t* bytes, int64_t size) {
  if (!impl_->read_header(bytes, size)) impl_->fail();
  const int64_t height = impl_->info.image_height, width = impl_->info.image_width;
  refuse_huge(width, height, size);
  // Even an image of one colour takes more than a bit for each block of 8x8 pixels, in each of its components.
  constexpr int64_t kPixelsPerByte = 1024, kSmall = 1 << 16;
  if (height * width > std::max(kSmall, kPixelsPerByte * size)) {
    throw DataError(
        fmt::format("the image claims {} x {} pixels, which its {} bytes cannot hold", width, height, size));
  }
  return {.height = impl_->info.image_height, .width = impl_->info.image_width};
}

void JpegDecoder::decode(int64_t channels, Image& out) {
  if (!impl_->read_whole(channels, out)) impl_->fail();
  finish(channels, out);
}

Region JpegDecoder::decode_region(const Region& region, int64_t channels, Image& out, RowsBelow below) {
  const auto& info = impl_->info;
  // Chroma is interpolated from its neighbours, two pixels away at most. The edge of the region read would replace
  // them.
  constexpr int64_t kMargin = 2;
  Region read{.top = std::max<int64_t>(region.top - kMargin, 0), .left = std::max<int64_t>(region.left - kMargin, 0)};
  read.height = std::min<int64_t>(region.top + region.height + kMargin, info.image_height) - read.top;
  read.width = std::min<int64_t>(region.left + region.width + kMargin, info.image_width) - read.left;
  if (!has_end_marker(info.src->next_input_byte, info.src->next_input_byte + info.src->bytes_in_buffer)) {
    throw DataError("the JPEG data is damaged or cut off (it has no end marker)");
  }
  if (!impl_->read_region(read, channels, out, below)) impl_->fail();
  finish(channels, out);
  return {
      .top = region.top - read.top, .left = region.left - read.left, .height = region.height, .width = region.width};
}

void JpegDecoder::finish(int64_t channels, Image& out) {
  if (out.channels != 4) return;
  cmyk_to_rgb(out, impl_->info.saw_Adobe_marker);
  if (channels == 3) return;
  Image gray;
  convert_channels(out.view(), channels, gray);
  out = std::move(gray);
}

bool JpegDecoder::is_progressive() const { return impl_->info.progressive_mode != 0; }
bool JpegDecoder::has_four_inks() const { return impl_->info.num_components == 4; }
bool JpegDecoder::is_gray() const { return impl_->info.num_components == 1; }
int64_t JpegDecoder::warnings() const { return impl_->errors.manager.num_warnings; }

}  // namespace bn
