#include "bn/pictures.hpp"

#include <zlib.h>

#include <algorithm>
#include <cmath>
#include <opencv2/imgproc.hpp>

#include "bn/error.hpp"
#include "data/decode.hpp"
#include "system/files.hpp"
#include "system/outputs.hpp"

namespace bn {
namespace {

constexpr int64_t kPictureChannels = 3;

// The image in colour, as evaluation decodes it, upright where data.exif_orientation says so.
cv::Mat read_picture(const Dataset& images, int64_t index, const DataOptions& data) {
  std::vector<uint8_t> encoded;
  Image decoded;
  DecodeOptions options = decode_options(data);
  options.channels = kPictureChannels;
  const ImageView pixels = ImageDecoder(options).pixels(images.read(index, encoded), decoded);
  return cv::Mat(static_cast<int>(pixels.height), static_cast<int>(pixels.width), CV_8UC3,
                 const_cast<uint8_t*>(pixels.data))
      .clone();
}

cv::Mat resize_picture(const cv::Mat& picture, double scale) {
  const auto scaled = [&](int side) { return std::max(1, static_cast<int>(std::lround(side * scale))); };
  cv::Mat resized;
  cv::resize(picture, resized, {scaled(picture.cols), scaled(picture.rows)}, 0, 0,
             scale < 1 ? cv::INTER_AREA : cv::INTER_CUBIC);
  return resized;
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

std::string png_of(const cv::Mat& picture) {
  const cv::Mat whole = picture.isContinuous() ? picture : picture.clone();
  const std::vector<uint8_t> png = encode_png(
      {.data = whole.data, .height = whole.rows, .width = whole.cols, .channels = kPictureChannels}, kPictureMark);
  return {png.begin(), png.end()};
}

constexpr int kLongestSide = 1024, kShortestSide = 256;  // the picture's, where the image's form allows

cv::Mat at_handy_size(const cv::Mat& image) {
  const int shorter = std::min(image.rows, image.cols), longer = std::max(image.rows, image.cols);
  const double grow = std::max(1.0, static_cast<double>(kShortestSide) / shorter);
  return resize_picture(image, std::min(grow, static_cast<double>(kLongestSide) / longer));
}

// The part of the picture that the network sees: the centre square, as evaluation resizes and crops.
cv::Rect seen_by_network(const cv::Mat& picture, const DataOptions& data) {
  const int shorter = std::min(picture.rows, picture.cols);
  const double share =
      data.resize_shorter > 0 ? static_cast<double>(data.image_size) / static_cast<double>(data.resize_shorter) : 1;
  const int side = std::clamp(static_cast<int>(std::lround(shorter * share)), 1, shorter);
  return {(picture.cols - side) / 2, (picture.rows - side) / 2, side, side};
}

// The map over the square, from 0 (at zero and below) to 1 (at its maximum).
cv::Mat strength_over(const HeatMap& map, int side) {
  const cv::Mat cells(static_cast<int>(map.height), static_cast<int>(map.width), CV_32FC1,
                      const_cast<float*>(map.values.data()));
  cv::Mat strength;
  cv::resize(cells, strength, {side, side}, 0, 0, cv::INTER_LINEAR);
  const float highest = *std::ranges::max_element(map.values);
  return cv::max(strength, 0.0F) * (highest > 0 ? 1 / highest : 0.0F);
}

void colour(cv::Mat square, const cv::Mat& strength) {
  constexpr float kOpacity = 0.6F, kBrightest = 255;
  cv::Mat levels, colours;
  strength.convertTo(levels, CV_8U, static_cast<double>(kBrightest));
  cv::applyColorMap(levels, colours, cv::COLORMAP_JET);
  cv::cvtColor(colours, colours, cv::COLOR_BGR2RGB);
  for (auto pixel = square.begin<cv::Vec3b>(); pixel != square.end<cv::Vec3b>(); ++pixel) {
    const float weight = kOpacity * std::min(1.0F, strength.at<float>(pixel.pos()));
    const auto& tint = colours.at<cv::Vec3b>(pixel.pos());
    for (int c = 0; c < 3; ++c) {
      const float mixed = (1 - weight) * static_cast<float>((*pixel)[c]) + weight * static_cast<float>(tint[c]);
      (*pixel)[c] = static_cast<uint8_t>(std::lround(mixed));
    }
  }
}

}  // namespace

// By zlib: a picture to look at needs no image library.
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

void draw_heat_map(const Dataset& images, int64_t index, const DataOptions& data, const HeatMap& map,
                   const std::string& path) {
  const cv::Mat picture = at_handy_size(read_picture(images, index, data));
  const cv::Rect seen = seen_by_network(picture, data);
  colour(picture(seen), strength_over(map, seen.width));
  write_file(path, png_of(picture));
}

void draw_thumbnail(const Dataset& images, int64_t index, const DataOptions& data, int64_t side,
                    const std::string& path) {
  const cv::Mat picture = read_picture(images, index, data);
  const double longer = std::max(picture.rows, picture.cols);
  write_file(path, png_of(resize_picture(picture, static_cast<double>(side) / longer)));
}

std::string picture_of(const Filters& filters) {
  constexpr int kEnlarge = 8, kGap = 1;
  constexpr uint8_t kPaper = 255;
  constexpr float kZero = 127.5F;
  const auto side = static_cast<int>(filters.side), step = side + kGap;
  const auto columns = static_cast<int>(std::ceil(std::sqrt(static_cast<double>(filters.count))));
  const int rows = (static_cast<int>(filters.count) + columns - 1) / columns;
  cv::Mat sheet(rows * step - kGap, columns * step - kGap, CV_8UC3, cv::Scalar::all(kPaper));
  const int64_t values = filters.side * filters.side * filters.channels;
  for (int64_t filter = 0; filter < filters.count; ++filter) {
    const float* weights = &filters.weights[static_cast<size_t>(filter * values)];
    float largest = 0;
    for (int64_t i = 0; i < values; ++i) largest = std::max(largest, std::abs(weights[i]));
    const auto column = static_cast<int>(filter) % columns, row = static_cast<int>(filter) / columns;
    cv::Mat tile = sheet(cv::Rect(column * step, row * step, side, side));
    const float* at = weights;
    for (auto pixel = tile.begin<cv::Vec3b>(); pixel != tile.end<cv::Vec3b>(); ++pixel, at += filters.channels) {
      for (int c = 0; c < 3; ++c) {
        const float weight = at[filters.channels == 1 ? 0 : c];
        const float shown = largest > 0 ? kZero + kZero * weight / largest : kZero;
        (*pixel)[c] = static_cast<uint8_t>(std::lround(shown));
      }
    }
  }
  cv::Mat enlarged;
  cv::resize(sheet, enlarged, {}, kEnlarge, kEnlarge, cv::INTER_NEAREST);
  return png_of(enlarged);
}

}  // namespace bn
