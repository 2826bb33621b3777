#include "data/augment.hpp"

#include <algorithm>
#include <cmath>
#include <opencv2/imgproc.hpp>

#include "data/average_resize.hpp"

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
    resized = target;
  }
  cv::Mat target(static_cast<int>(size), static_cast<int>(size), type_of(image.channels), out);
  resized(as_rect(centered(resized.rows, resized.cols, size, size))).copyTo(target);
}

void mirror(uint8_t* image, int64_t size, int64_t channels) {
  const cv::Mat pixels(static_cast<int>(size), static_cast<int>(size), type_of(channels), image);
  constexpr int kColumns = 1;
  cv::flip(pixels, pixels, kColumns);
}

}  // namespace bn
