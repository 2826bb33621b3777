// Measures the images of a set, by some of them: sizes, means, deviations.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "bn/dataset.hpp"
#include "data/image.hpp"

namespace bn {

// Means of the pixels' R, G and B, scaled to 0..1, and of their products, summed over images: each counts alike.
struct ColourMoments {
  double images = 0;
  std::array<double, 3> first{};
  std::array<std::array<double, 3>, 3> second{};

  void add(const ImageView& image);  // of three channels
  void add(const ColourMoments& more);
  // These need one image at least.
  double mean(size_t channel) const { return first[channel] / images; }
  double covariance(size_t a, size_t b) const { return second[a][b] / images - mean(a) * mean(b); }
  double deviation(size_t channel) const;
};

struct Survey {
  int64_t measured = 0;
  int64_t median_width = 0, median_height = 0, median_shorter = 0;  // pixels, upright
  std::array<double, 3> mean{}, deviation{};                        // the pixels' R, G, B, scaled to 0..1
  std::vector<std::string> unreadable{};                            // "name: reason"
};

// Decodes at most `most` encoded images, at equal distances, in so many threads. Each image counts alike.
Survey survey_images(const Dataset& images, int64_t most, int64_t workers);

}  // namespace bn
