#include "data/survey.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <memory>

#include "bn/error.hpp"
#include "data/decode.hpp"
#include "data/parallel.hpp"

namespace bn {
namespace {

constexpr int64_t kColours = 3;

struct Measured {
  int64_t height = 0, width = 0;
  std::array<double, kColours> mean{}, mean_square{};
  std::string problem{};
};

void measure_pixels(const ImageView& image, Measured& measured) {
  std::array<int64_t, kColours> sums{}, squares{};
  const int64_t pixels = image.height * image.width;
  for (int64_t i = 0; i < pixels; ++i) {
    for (int64_t c = 0; c < kColours; ++c) {
      const int64_t value = image.data[i * kColours + c];
      sums[static_cast<size_t>(c)] += value;
      squares[static_cast<size_t>(c)] += value * value;
    }
  }
  constexpr double kMost = 255;
  for (size_t c = 0; c < kColours; ++c) {
    measured.mean[c] = static_cast<double>(sums[c]) / static_cast<double>(pixels) / kMost;
    measured.mean_square[c] = static_cast<double>(squares[c]) / static_cast<double>(pixels) / (kMost * kMost);
  }
}

// A thread's own decoder and memory.
class Measurer {
 public:
  Measured measure(const Dataset& images, int64_t index) {
    Measured measured;
    try {
      const ImageView image = decoder_.pixels(images.read(index, encoded_), decoded_);
      measured.height = image.height;
      measured.width = image.width;
      measure_pixels(image, measured);
    } catch (const DataError& error) {
      measured.problem = fmt::format("{}: {}", images.name(index), error.what());
    }
    return measured;
  }

 private:
  ImageDecoder decoder_{{.channels = kColours, .exif_orientation = ExifOrientation::kApply}};
  std::vector<uint8_t> encoded_;
  Image decoded_;
};

int64_t median(std::vector<int64_t> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

Survey summarize(const std::vector<Measured>& all) {
  Survey survey;
  std::vector<int64_t> widths, heights, shorter;
  std::array<double, kColours> mean_square{};
  for (const Measured& one : all) {
    if (!one.problem.empty()) {
      survey.unreadable.push_back(one.problem);
      continue;
    }
    widths.push_back(one.width);
    heights.push_back(one.height);
    shorter.push_back(std::min(one.width, one.height));
    for (size_t c = 0; c < kColours; ++c) {
      survey.mean[c] += one.mean[c];
      mean_square[c] += one.mean_square[c];
    }
  }
  survey.measured = static_cast<int64_t>(widths.size());
  if (survey.measured == 0) return survey;
  survey.median_width = median(widths);
  survey.median_height = median(heights);
  survey.median_shorter = median(shorter);
  for (size_t c = 0; c < kColours; ++c) {
    survey.mean[c] /= static_cast<double>(survey.measured);
    const double variance = mean_square[c] / static_cast<double>(survey.measured) - survey.mean[c] * survey.mean[c];
    survey.deviation[c] = std::sqrt(std::max(0.0, variance));
  }
  return survey;
}

}  // namespace

Survey survey_images(const Dataset& images, int64_t most, int64_t workers) {
  const int64_t count = std::min(most, images.size());
  std::vector<Measured> all(static_cast<size_t>(count));
  parallel_for(count, workers, [&] {
    return [&, measurer = std::make_shared<Measurer>()](int64_t i) {
      all[static_cast<size_t>(i)] = measurer->measure(images, i * images.size() / count);
    };
  });
  return summarize(all);
}

}  // namespace bn
