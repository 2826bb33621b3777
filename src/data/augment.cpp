#include "data/augment.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <opencv2/imgproc.hpp>
#include <utility>
#include <vector>

namespace bn {
namespace {

int type_of(int64_t channels) { return channels == 1 ? CV_8UC1 : CV_8UC3; }

cv::Mat as_mat(const ImageView& image) {
  return cv::Mat(static_cast<int>(image.height), static_cast<int>(image.width), type_of(image.channels),
                 const_cast<uint8_t*>(image.data));
}

cv::Rect as_rect(const Crop& crop) {
  return {static_cast<int>(crop.left), static_cast<int>(crop.top), static_cast<int>(crop.width),
          static_cast<int>(crop.height)};
}

// Bilinear reads four neighbours however much it shrinks, and aliases; averaging needs both directions to shrink.
int interpolation_of(ResizeMethod method, const cv::Mat& from, const cv::Mat& to) {
  switch (method) {
    case ResizeMethod::kBilinear:
      return cv::INTER_LINEAR;
    case ResizeMethod::kNearest:
      return cv::INTER_NEAREST;
    case ResizeMethod::kCubic:
      return cv::INTER_CUBIC;
    case ResizeMethod::kArea:
      break;
  }
  return to.rows <= from.rows && to.cols <= from.cols ? cv::INTER_AREA : cv::INTER_LINEAR;
}

void resize(const cv::Mat& from, cv::Mat& to, ResizeMethod method = ResizeMethod::kArea) {
  const int interpolation = interpolation_of(method, from, to);
  if (interpolation == cv::INTER_AREA && from.channels() == 3 && to.isContinuous()) {
    average_resize(from.data, from.rows, from.cols, static_cast<int64_t>(from.step[0]), to.rows, to.cols, to.data);
  } else {
    cv::resize(from, to, to.size(), 0, 0, interpolation);
  }
}

Crop centered(int64_t height, int64_t width, int64_t crop_height, int64_t crop_width) {
  return {
      .top = (height - crop_height) / 2, .left = (width - crop_width) / 2, .height = crop_height, .width = crop_width};
}

Crop fallback_crop(const AugmentOptions& options, int64_t height, int64_t width) {
  const double aspect = static_cast<double>(width) / static_cast<double>(height);
  if (aspect < options.min_aspect) {
    const auto crop_height = std::llround(static_cast<double>(width) / options.min_aspect);
    return centered(height, width, std::clamp<int64_t>(crop_height, 1, height), width);
  }
  if (aspect > options.max_aspect) {
    const auto crop_width = std::llround(static_cast<double>(height) * options.max_aspect);
    return centered(height, width, height, std::clamp<int64_t>(crop_width, 1, width));
  }
  return centered(height, width, height, width);
}

Crop draw_rectangle(const AugmentOptions& options, int64_t height, int64_t width, RandomStream& random) {
  constexpr int kTries = 10;
  for (int i = 0; i < kTries; ++i) {
    const double area = random.uniform(options.min_area, options.max_area) * static_cast<double>(height * width);
    const double aspect = random.uniform(options.min_aspect, options.max_aspect);
    const int64_t crop_width = std::llround(std::sqrt(area * aspect));
    const int64_t crop_height = std::llround(std::sqrt(area / aspect));
    if (crop_width < 1 || crop_height < 1 || crop_width > width || crop_height > height) continue;
    const int64_t top = random.uniform_index(height - crop_height + 1);
    const int64_t left = random.uniform_index(width - crop_width + 1);
    return {.top = top, .left = left, .height = crop_height, .width = crop_width};
  }
  return fallback_crop(options, height, width);
}

// One direction of the resize: the old places that each new one covers, and the share of each in it. It is reused from
// image to image.
struct Cover {
  std::vector<int64_t> first, weight_at;  // one for each new place; weight_at has one more
  std::vector<float> weights;

  void compute(int64_t from, int64_t to) {
    first.clear(), weight_at.clear(), weights.clear();
    const double scale = static_cast<double>(from) / static_cast<double>(to);
    for (int64_t i = 0; i < to; ++i) {
      const double begin = static_cast<double>(i) * scale, end = begin + scale;
      const auto low = static_cast<int64_t>(begin);
      first.push_back(low);
      weight_at.push_back(static_cast<int64_t>(weights.size()));
      for (int64_t at = low; at < std::min(from, static_cast<int64_t>(std::ceil(end))); ++at) {
        const double covered = std::min(end, static_cast<double>(at + 1)) - std::max(begin, static_cast<double>(at));
        weights.push_back(static_cast<float>(covered / scale));
      }
    }
    weight_at.push_back(static_cast<int64_t>(weights.size()));
  }
};

// The weighted sum of some rows of bytes. The same operations in the same order whatever the instruction set, so the
// same bits; without multiply-add, which rounds otherwise.
[[gnu::always_inline]] inline void sum_rows(float* __restrict sum, const uint8_t* row, int64_t stride, int64_t count,
                                            const float* weights, int64_t rows) {
  for (int64_t i = 0; i < count; ++i) sum[i] = weights[0] * static_cast<float>(row[i]);
  for (int64_t r = 1; r < rows; ++r) {
    const uint8_t* __restrict next = row + r * stride;
    const float weight = weights[r];
    for (int64_t i = 0; i < count; ++i) sum[i] += weight * static_cast<float>(next[i]);
  }
}

void sum_rows_generic(float* sum, const uint8_t* row, int64_t stride, int64_t count, const float* weights,
                      int64_t rows) {
  sum_rows(sum, row, stride, count, weights, rows);
}

[[gnu::target("avx2")]] void sum_rows_avx2(float* sum, const uint8_t* row, int64_t stride, int64_t count,
                                           const float* weights, int64_t rows) {
  sum_rows(sum, row, stride, count, weights, rows);
}

using Pixel = float __attribute__((vector_size(16)));  // R G B and one to spare

Pixel load(const float* from) {
  Pixel pixel;
  std::memcpy(&pixel, from, sizeof(pixel));
  return pixel;
}

void average_columns(const std::vector<float>& row, const Cover& columns, int64_t out_width, uint8_t* out) {
  constexpr float kHalf = 0.5F;  // rounds
  for (int64_t x = 0; x < out_width; ++x) {
    const float* from = row.data() + 3 * columns.first[static_cast<size_t>(x)];
    Pixel sum = {kHalf, kHalf, kHalf, kHalf};
    const int64_t end = columns.weight_at[static_cast<size_t>(x) + 1];
    for (int64_t i = columns.weight_at[static_cast<size_t>(x)]; i < end; ++i, from += 3) {
      sum += load(from) * columns.weights[static_cast<size_t>(i)];
    }
    for (int c = 0; c < 3; ++c) out[3 * x + c] = static_cast<uint8_t>(sum[c]);
  }
}

}  // namespace

void use_no_opencv_threads() { cv::setNumThreads(0); }

Crop draw_crop(const AugmentOptions& options, int64_t height, int64_t width, RandomStream& random) {
  Crop crop{.height = height, .width = width};
  if (options.random_crop) crop = draw_rectangle(options, height, width, random);
  if (options.flip) crop.mirrored = random.next() >> 31 == 1;
  if (options.interpolation == Interpolation::kRandom) {
    constexpr int64_t kMethods = 4;
    crop.method = static_cast<ResizeMethod>(random.uniform_index(kMethods));
  }
  return crop;
}

void resize_crop(const ImageView& image, const Crop& crop, int64_t size, uint8_t* out) {
  const cv::Mat source = as_mat(image)(as_rect(crop));
  cv::Mat target(static_cast<int>(size), static_cast<int>(size), type_of(image.channels), out);
  if (source.size() == target.size()) {
    source.copyTo(target);
  } else {
    resize(source, target, crop.method);
  }
  if (crop.mirrored) mirror(out, size, image.channels);
}

// torchvision cuts the longer side off to whole pixels instead of rounding it, so its size may differ by one.
void resize_shorter_side(const ImageView& image, int64_t shorter, Image& out) {
  const int64_t from = std::min(image.height, image.width);
  const auto scaled = [&](int64_t side) {
    return std::llround(static_cast<double>(side * shorter) / static_cast<double>(from));
  };
  out.reshape(scaled(image.height), scaled(image.width), image.channels);
  cv::Mat target(static_cast<int>(out.height), static_cast<int>(out.width), type_of(out.channels), out.pixels.data());
  resize(as_mat(image), target);
}

void resize_and_center_crop(const ImageView& image, int64_t resize_shorter, int64_t size, uint8_t* out) {
  const int64_t shorter = std::min(image.height, image.width);
  const int64_t target_shorter = resize_shorter > 0 ? resize_shorter : std::max(shorter, size);
  // A strip of one pixel by thousands would grow to gigabytes; its ends never reach the crop.
  const int64_t longest = 16 * shorter;
  const Crop middle =
      centered(image.height, image.width, std::min(image.height, longest), std::min(image.width, longest));
  cv::Mat resized = as_mat(image)(as_rect(middle));
  if (target_shorter != shorter) {
    const auto scaled = [&](int64_t side) {
      return static_cast<int>(std::llround(static_cast<double>(side * target_shorter) / static_cast<double>(shorter)));
    };
    cv::Mat target(scaled(middle.height), scaled(middle.width), type_of(image.channels));
    resize(resized, target);
    resized = std::move(target);
  }
  cv::Mat target(static_cast<int>(size), static_cast<int>(size), type_of(image.channels), out);
  resized(as_rect(centered(resized.rows, resized.cols, size, size))).copyTo(target);
}

void mirror(uint8_t* image, int64_t size, int64_t channels) {
  const cv::Mat pixels(static_cast<int>(size), static_cast<int>(size), type_of(channels), image);
  constexpr int kColumns = 1;
  cv::flip(pixels, pixels, kColumns);
}

void average_resize(const uint8_t* rgb, int64_t height, int64_t width, int64_t stride, int64_t out_height,
                    int64_t out_width, uint8_t* out) {
  static const auto kSumRows = __builtin_cpu_supports("avx2") ? sum_rows_avx2 : sum_rows_generic;
  thread_local Cover rows, columns;
  thread_local std::vector<float> sum;
  rows.compute(height, out_height);
  columns.compute(width, out_width);
  const int64_t count = 3 * width;
  sum.assign(static_cast<size_t>(count + 1), 0.0F);  // the last pixel is loaded with one value to spare
  for (int64_t y = 0; y < out_height; ++y) {
    const uint8_t* row = rgb + rows.first[static_cast<size_t>(y)] * stride;
    const int64_t begin = rows.weight_at[static_cast<size_t>(y)], end = rows.weight_at[static_cast<size_t>(y) + 1];
    kSumRows(sum.data(), row, stride, count, rows.weights.data() + begin, end - begin);
    average_columns(sum, columns, out_width, out + 3 * y * out_width);
  }
}

}  // namespace bn
