// Images of any format, by OpenCV.
#include <fmt/format.h>

#include <dlfcn.h>

#include <algorithm>
#include <cstdarg>
#include <cstdlib>
#include <opencv2/imgcodecs.hpp>
#include <opencv2/imgproc.hpp>

#include "bn/error.hpp"
#include "data/decode.hpp"

namespace bn {

namespace {

// The decimal number after blanks and comments, of which `at` then is the end.
int64_t decimal(const FileHeader& header, int64_t& at) {
  const auto byte = [&] { return header.number(at, 1, ByteOrder::kBig); };
  for (bool comment = false; at < header.size() && (comment || byte() <= ' ' || byte() == '#'); ++at) {
    comment = byte() == '#' || (comment && byte() != '\n');
  }
  int64_t value = 0;
  for (; byte() >= '0' && byte() <= '9'; ++at) value = std::min<int64_t>(10 * value + byte() - '0', UINT32_MAX);
  return value;
}

bool is_tiff(const FileHeader& header) { return header.begins({"II*\0", 4}) || header.begins({"MM\0*", 4}); }

void refuse_huge_tiff(const FileHeader& header, ByteOrder order, int64_t size) {
  constexpr int64_t kEntry = 12, kWidth = 256, kHeight = 257, kShort = 3;
  const int64_t directory = header.number(4, 4, order);
  int64_t width = 0, height = 0;
  for (int64_t i = 0; i < header.number(directory, 2, order); ++i) {
    const int64_t entry = directory + 2 + i * kEntry, tag = header.number(entry, 2, order);
    const int64_t value = header.number(entry + 8, header.number(entry + 2, 2, order) == kShort ? 2 : 4, order);
    if (tag == kWidth) width = value;
    if (tag == kHeight) height = value;
  }
  refuse_huge(width, height, size);
}

// Called before OpenCV takes memory for the pixels: its own limit is 2^30 of them, read from the environment before
// main(). WebP has at most 2^28.
void refuse_huge_header(const FileHeader& header, int64_t size) {
  if (header.begins("\x89PNG"))
    refuse_huge(header.number(16, 4, ByteOrder::kBig), header.number(20, 4, ByteOrder::kBig), size);
  if (header.begins("BM")) {
    const auto side = [&](int64_t at) {  // negative: rows from the top
      return std::abs(int64_t{static_cast<int32_t>(header.number(at, 4, ByteOrder::kLittle))});
    };
    constexpr int64_t kOldHeader = 12;
    if (header.number(14, 4, ByteOrder::kLittle) != kOldHeader) refuse_huge(side(18), side(22), size);
  }
  if (header.begins("P") && header.number(1, 1, ByteOrder::kBig) >= '1' &&
      header.number(1, 1, ByteOrder::kBig) <= '6') {
    int64_t at = 2;
    const int64_t width = decimal(header, at), height = decimal(header, at);
    refuse_huge(width, height, size);
  }
  if (header.begins({"II*\0", 4})) refuse_huge_tiff(header, ByteOrder::kLittle, size);
  if (header.begins({"MM\0*", 4})) refuse_huge_tiff(header, ByteOrder::kBig, size);
}

// OpenCV opens more, by content, whatever a file is called; those readers are not strict, or ask for memory first.
bool is_known_format(const FileHeader& header) {
  const bool is_netpbm =
      header.begins("P") && header.number(1, 1, ByteOrder::kBig) >= '1' && header.number(1, 1, ByteOrder::kBig) <= '6';
  return header.begins("\xFF\xD8") || header.begins("\x89PNG") || header.begins("BM") || header.begins("RIFF") ||
         is_netpbm || is_tiff(header);
}

// OpenCV goes on after an error of libtiff with pixels that are not the image's. libtiff tells of it through a handler
// for the whole process; it is looked up, since OpenCV, not we, is linked with libtiff. Where it cannot be found, no
// TIFF is accepted.
class TiffErrors {
 public:
  TiffErrors() {
    static const bool kIsInstalled = install();
    count() = kIsInstalled ? 0 : -1;
  }
  // Whether an error was told of on this thread, or might have been.
  static bool any() { return count() > 0; }
  static bool can_tell() { return count() >= 0; }

 private:
  using Handler = void (*)(void*, const char*, const char*, va_list);

  static int& count() {
    static thread_local int count = 0;
    return count;
  }
  static void on_error(void*, const char*, const char*, va_list) { ++count(); }
  static bool install() {
    const auto set = reinterpret_cast<Handler (*)(Handler)>(dlsym(RTLD_DEFAULT, "TIFFSetErrorHandlerExt"));
    const auto set_plain = reinterpret_cast<void* (*)(void*)>(dlsym(RTLD_DEFAULT, "TIFFSetErrorHandler"));
    if (set == nullptr || set_plain == nullptr) return false;
    set(on_error);
    set_plain(nullptr);  // prints to standard error
    return true;
  }
};

}  // namespace

bool has_imgcodecs() { return true; }

void decode_with_imgcodecs(const uint8_t* bytes, int64_t size, int64_t channels, Image& out) {
  const FileHeader header(bytes, size);
  if (!is_known_format(header)) {
    throw DataError("the data is damaged or in no format that is read here (JPEG, PNG, BMP, WebP, PPM, PGM, TIFF)");
  }
  refuse_huge_header(header, size);
  const TiffErrors tiff_errors;
  if (is_tiff(header) && !TiffErrors::can_tell()) {
    throw DataError("TIFF is not read here: this OpenCV's reader cannot say whether the data is damaged");
  }
  const cv::Mat encoded(1, static_cast<int>(size), CV_8UC1, const_cast<uint8_t*>(bytes));
  const int mode = (channels == 1 ? cv::IMREAD_GRAYSCALE : cv::IMREAD_COLOR) | cv::IMREAD_IGNORE_ORIENTATION;
  cv::Mat decoded;
  try {
    decoded = cv::imdecode(encoded, mode);
  } catch (const cv::Exception& error) {
    throw DataError(fmt::format("the image data is damaged ({})", error.err));
  }
  if (decoded.empty() || TiffErrors::any()) throw DataError("the image data is damaged");
  refuse_huge(decoded.cols, decoded.rows, size);
  out.reshape(decoded.rows, decoded.cols, channels);
  cv::Mat target(decoded.rows, decoded.cols, channels == 1 ? CV_8UC1 : CV_8UC3, out.pixels.data());
  if (channels == 1) {
    decoded.copyTo(target);
  } else {
    cv::cvtColor(decoded, target, cv::COLOR_BGR2RGB);
  }
}

std::vector<uint8_t> encode_png_with_imgcodecs(const ImageView& image) {
  const cv::Mat rgb(static_cast<int>(image.height), static_cast<int>(image.width), CV_8UC3,
                    const_cast<uint8_t*>(image.data));
  cv::Mat bgr;
  cv::cvtColor(rgb, bgr, cv::COLOR_RGB2BGR);
  std::vector<uint8_t> encoded;
  cv::imencode(".png", bgr, encoded);
  return encoded;
}

}  // namespace bn
