// Images of any format, by OpenCV.
#include <fmt/format.h>

#include <dlfcn.h>

#include <algorithm>
#include <array>
#include <cstdarg>
#include <cstdlib>
#include <opencv2/core/utils/logger.hpp>
#include <opencv2/imgcodecs.hpp>
#include <opencv2/imgproc.hpp>

#include "bn/error.hpp"
#include "data/decode.hpp"
#include "data/exif.hpp"

namespace bn {
namespace {

// --- Netpbm's gray and coloured pictures, as text (P2, P3) or bytes (P5, P6). A file says itself which value is full
// brightness; OpenCV takes it for 255 or 65535 in all but some text files.

struct NetpbmHeader {
  int64_t kind = 0;  // 1 to 6, as in "P6"; 0: the file is of another format
  int64_t width = 0, height = 0;
  int64_t maximum = 0;  // the value of full brightness; bitmaps have none
  int64_t pixels = 0;   // their place in the file
};

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

// Decodes the picture if OpenCV would not do it right, and returns whether it did. Throws DataError for a value beyond
// the maximum, and for a picture to be decoded here that is cut off.
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

// --- What OpenCV would read wrong or take too much memory for.

void refuse_huge_tiff(const FileHeader& header, int64_t size) {
  constexpr int64_t kWidth = 256, kHeight = 257;
  const TiffDirectory directory(header);
  refuse_huge(directory.number(kWidth, 0), directory.number(kHeight, 0), size);
}

// OpenCV takes signed numbers for others, and refuses some kinds as damage.
void refuse_other_numbers(const FileHeader& header) {
  constexpr int64_t kSampleFormat = 339, kUnsigned = 1;
  if (TiffDirectory(header).number(kSampleFormat, kUnsigned) == kUnsigned) return;
  throw DataError("the TIFF's numbers are signed or fractions: save it with unsigned numbers of 8 or 16 bits");
}

// A still picture's size stands in its first chunk, which is of one of three kinds.
void refuse_huge_webp(const FileHeader& header, int64_t size) {
  const auto number = [&](int64_t at, int64_t bytes) { return header.number(at, bytes, ByteOrder::kLittle); };
  const FileHeader kind = header.part(12, 4);
  constexpr int64_t k14Bits = 0x3FFF;
  if (kind.begins("VP8X")) refuse_huge(number(24, 3) + 1, number(27, 3) + 1, size);
  if (kind.begins("VP8L")) refuse_huge((number(21, 4) & k14Bits) + 1, (number(21, 4) >> 14 & k14Bits) + 1, size);
  if (kind.begins("VP8 ")) refuse_huge(number(26, 2) & k14Bits, number(28, 2) & k14Bits, size);
}

// A BMP's header of any kind but the oldest, which has neither masks nor compression.
class BmpHeader {
 public:
  explicit BmpHeader(const FileHeader& file) : file_(file) {}

  bool is_new() const { return file_.begins("BM") && kind() != 12; }
  int64_t pixels() const { return number(10, 4); }
  int64_t kind() const { return number(14, 4); }  // its own size
  int64_t width() const { return side(18); }
  int64_t height() const { return side(22); }
  int64_t bits() const { return number(28, 2); }
  int64_t compression() const { return number(30, 4); }
  // These are red's, green's and blue's. They lie behind the shortest kind of header and within longer ones, at the
  // same place.
  std::array<int64_t, 3> masks() const { return {number(54, 4), number(58, 4), number(62, 4)}; }

 private:
  int64_t number(int64_t at, int64_t bytes) const { return file_.number(at, bytes, ByteOrder::kLittle); }
  // A negative height says that the rows begin at the top.
  int64_t side(int64_t at) const { return std::abs(int64_t{static_cast<int32_t>(number(at, 4))}); }

  const FileHeader& file_;
};

// Called before OpenCV takes memory for the pixels: its own limit is 2^30 of them, read from the environment before
// main().
void refuse_huge_header(const FileHeader& header, int64_t size) {
  if (header.begins("\x89PNG"))
    refuse_huge(header.number(16, 4, ByteOrder::kBig), header.number(20, 4, ByteOrder::kBig), size);
  if (const BmpHeader bmp(header); bmp.is_new()) refuse_huge(bmp.width(), bmp.height(), size);
  if (header.begins("RIFF")) refuse_huge_webp(header, size);
  const NetpbmHeader netpbm = netpbm_header(header);
  refuse_huge(netpbm.width, netpbm.height, size);
  if (is_tiff(header)) refuse_huge_tiff(header, size);
}

// OpenCV takes the bytes of a pixel of 32 bits for blue, green and red, whatever its masks say. It knows two kinds of
// 16 bits, whose masks it finds behind the shortest header alone.
void refuse_other_masks(const FileHeader& file) {
  constexpr int64_t kByMasks = 3, kShortest = 40;
  constexpr std::array<int64_t, 3> kBytes{0xFF0000, 0xFF00, 0xFF}, k565{0xF800, 0x7E0, 0x1F}, k555{0x7C00, 0x3E0, 0x1F};
  const BmpHeader header(file);
  const bool is_word = header.bits() == 16;
  if (!header.is_new() || header.compression() != kByMasks || (!is_word && header.bits() != 32)) return;
  const std::array<int64_t, 3> masks = header.masks();
  const bool is_read = is_word ? header.kind() == kShortest && (masks == k565 || masks == k555) : masks == kBytes;
  if (is_read) return;
  throw DataError("the BMP's own masks put its colours in an order that is not read here: save it without them");
}

// OpenCV fills pixels that compressed rows leave out with the first colour.
void refuse_unfilled_rows(const FileHeader& file) {
  constexpr int64_t kBytes = 1, kHalfBytes = 2;  // the kinds of compression
  constexpr int64_t kEndOfRow = 0, kEndOfImage = 1, kSkip = 2;
  const BmpHeader header(file);
  const int64_t kind = header.compression(), width = header.width(), height = header.height();
  if (!header.is_new() || (kind != kBytes && kind != kHalfBytes)) return;
  int64_t x = 0, y = 0;
  const auto refuse_unless = [](bool is_filled) {
    if (!is_filled) throw DataError("the BMP's compressed rows leave pixels out: save it without compression");
  };
  for (int64_t at = header.pixels(); y < height && (y + 1 < height || x < width); at += 2) {
    if (at > file.size() - 2) throw DataError("the image data is cut off");
    const int64_t run = byte_at(file, at), code = byte_at(file, at + 1);
    if (run > 0) {
      x += run;
    } else if (code == kEndOfRow) {
      refuse_unless(x == width);
      x = 0;
      ++y;
    } else {
      refuse_unless(code != kEndOfImage && code != kSkip);
      x += code;  // so many pixels follow, in an even number of bytes
      at += ((kind == kBytes ? code : (code + 1) / 2) + 1) / 2 * 2;
    }
    if (x > width) throw DataError("the BMP's compressed rows are longer than the image is wide: is it damaged?");
  }
}

// OpenCV opens more, by content, whatever a file is called; those readers are not strict, or ask for memory first.
bool is_known_format(const FileHeader& header) {
  return header.begins("\xFF\xD8") || header.begins("\x89PNG") || header.begins("BM") || header.begins("RIFF") ||
         netpbm_header(header).kind > 0 || is_tiff(header);
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

cv::Mat decode_by_opencv(const uint8_t* bytes, int64_t size, int mode) {
  static const bool kIsQuiet = [] {  // its messages would name no file
    cv::utils::logging::setLogLevel(cv::utils::logging::LOG_LEVEL_SILENT);
    return true;
  }();
  static_cast<void>(kIsQuiet);
  const cv::Mat encoded(1, static_cast<int>(size), CV_8UC1, const_cast<uint8_t*>(bytes));
  const TiffErrors tiff_errors;
  if (is_tiff({bytes, size}) && !TiffErrors::can_tell()) {
    throw DataError("TIFF is not read here: this OpenCV's reader cannot say whether the data is damaged");
  }
  cv::Mat decoded;
  try {
    decoded = cv::imdecode(encoded, mode);
  } catch (const cv::Exception& error) {
    throw DataError(fmt::format("the image data is damaged ({})", error.err));
  }
  if (decoded.empty() || TiffErrors::any()) throw DataError("the image data is damaged");
  return decoded;
}

// OpenCV turns a TIFF as its orientation says, unasked. Whether that is wanted is decided for all formats alike
// (exif.hpp), so it gets an upright one: a copy, if need be, in `memory`.
const uint8_t* without_orientation(const uint8_t* bytes, int64_t size, std::vector<uint8_t>& memory) {
  const FileHeader header(bytes, size);
  const auto orientation = TiffDirectory(header).find(kOrientationTag);
  if (!orientation || orientation->number == 1 || orientation->at > size - orientation->bytes) return bytes;
  memory.assign(bytes, bytes + size);
  const auto begin = memory.begin() + orientation->at, end = begin + orientation->bytes;
  std::fill(begin, end, uint8_t{0});
  *(header.begins("II") ? begin : end - 1) = 1;
  return memory.data();
}

// OpenCV wants a byte behind each number of a text, the last one too.
bool lacks_end_of_line(const FileHeader& file) {
  return is_text(netpbm_header(file)) && byte_at(file, file.size() - 1) > ' ' && file.size() < INT32_MAX;
}

// libtiff gives the colours of a transparent pixel, of 8 bits or 16, as they look on black, and drops what they were.
void refuse_transparent_tiff(const uint8_t* bytes, int64_t size) {
  constexpr int64_t kBitsPerSample = 258, kSamplesPerPixel = 277, kExtraSamples = 338, kUnspecified = 0;
  const TiffDirectory directory{FileHeader(bytes, size)};
  const int64_t bits = directory.number(kBitsPerSample, 1);
  const bool has_alpha = directory.number(kExtraSamples, kUnspecified) != kUnspecified &&
                         directory.number(kSamplesPerPixel, 1) == 4 && (bits == 8 || bits == 16);
  if (!has_alpha) return;
  const cv::Mat all = decode_by_opencv(bytes, size, cv::IMREAD_UNCHANGED);
  cv::Mat alpha;
  if (all.type() == (bits == 8 ? CV_8UC4 : CV_16UC4)) cv::extractChannel(all, alpha, 3);
  double least = 0;
  if (!alpha.empty()) cv::minMaxLoc(alpha, &least);
  if (least == static_cast<double>(bits == 8 ? kFullByte : kFullWord)) return;
  throw DataError(
      "the image is transparent in places, whose colours cannot be read from a TIFF: save it without transparency, or "
      "as PNG");
}

}  // namespace

bool has_imgcodecs() { return true; }

void decode_with_imgcodecs(const uint8_t* bytes, int64_t size, int64_t channels, Image& out) {
  const FileHeader header(bytes, size);
  if (!is_known_format(header)) {
    throw DataError("the data is damaged or in no format that is read here (JPEG, PNG, BMP, WebP, PPM, PGM, TIFF)");
  }
  refuse_huge_header(header, size);
  refuse_other_masks(header);
  refuse_unfilled_rows(header);
  if (is_tiff(header)) refuse_other_numbers(header);
  if (decode_netpbm(header, channels, out)) return;
  std::vector<uint8_t> memory;
  const uint8_t* upright = without_orientation(bytes, size, memory);
  if (lacks_end_of_line(header)) {
    memory.assign(bytes, bytes + size);
    memory.push_back('\n');
    upright = memory.data();
    ++size;
  }
  const int mode = (channels == 1 ? cv::IMREAD_GRAYSCALE : cv::IMREAD_COLOR) | cv::IMREAD_IGNORE_ORIENTATION;
  const cv::Mat decoded = decode_by_opencv(upright, size, mode);
  refuse_transparent_tiff(upright, size);
  refuse_huge(decoded.cols, decoded.rows, size);
  out.reshape(decoded.rows, decoded.cols, channels);
  cv::Mat target(decoded.rows, decoded.cols, channels == 1 ? CV_8UC1 : CV_8UC3, out.pixels.data());
  if (channels == 1) {
    decoded.copyTo(target);
  } else {
    cv::cvtColor(decoded, target, cv::COLOR_BGR2RGB);
  }
}

}  // namespace bn
