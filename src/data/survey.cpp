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

struct Measured {
  int64_t height = 0, width = 0;
  ColourMoments colours{};
  std::string problem{};
};

// A thread's own decoder and memory.
class Measurer {
 public:
  Measured measure(const Dataset& images, int64_t index) {
    Measured measured;
    try {
      const ImageView image = decoder_.pixels(images.read(index, encoded_), decoded_);
      measured.height = image.height;
      measured.width = image.width;
      measured.colours.add(image);
    } catch (const DataError& error) {
      measured.problem = fmt::format("{}: {}", images.name(index), error.what());
    }
    return measured;
  }

 private:
  ImageDecoder decoder_{{.channels = 3, .exif_orientation = ExifOrientation::kApply}};
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
  ColourMoments colours;
  for (const Measured& one : all) {
    if (!one.problem.empty()) {
      survey.unreadable.push_back(one.problem);
      continue;
    }
    widths.push_back(one.width);
    heights.push_back(one.height);
    shorter.push_back(std::min(one.width, one.height));
    colours.add(one.colours);
  }
  survey.measured = static_cast<int64_t>(widths.size());
  if (survey.measured == 0) return survey;
  survey.median_width = median(widths);
  survey.median_height = median(heights);
  survey.median_shorter = median(shorter);
  for (size_t c = 0; c < survey.mean.size(); ++c) {
    survey.mean[c] = colours.mean(c);
    survey.deviation[c] = colours.deviation(c);
  }
  return survey;
}

}  // namespace

void ColourMoments::add(const ImageView& image) {
  std::array<int64_t, 3> sum{};
  std::array<std::array<int64_t, 3>, 3> products{};
  const int64_t pixels = image.height * image.width;
  for (int64_t i = 0; i < pixels; ++i) {
    const uint8_t* rgb = image.data + 3 * i;
    for (size_t a = 0; a < 3; ++a) {
      sum[a] += rgb[a];
      for (size_t b = 0; b <= a; ++b) products[a][b] += int64_t{rgb[a]} * rgb[b];
    }
  }
  constexpr double kFullScale = 255;
  const double scale = 1 / (kFullScale * static_cast<double>(pixels));
  images += 1;
  for (size_t a = 0; a < 3; ++a) {
    first[a] += scale * static_cast<double>(sum[a]);
    for (size_t b = 0; b < 3; ++b) {
      second[a][b] += scale / kFullScale * static_cast<double>(products[std::max(a, b)][std::min(a, b)]);
    }
  }
}

void ColourMoments::add(const ColourMoments& more) {
  images += more.images;
  for (size_t a = 0; a < 3; ++a) {
    first[a] += more.first[a];
    for (size_t b = 0; b < 3; ++b) second[a][b] += more.second[a][b];
  }
}

double ColourMoments::deviation(size_t channel) const { return std::sqrt(std::max(0.0, covariance(channel, channel))); }

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
