// Measures the images of a set, by some of them: sizes, means, deviations.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "bn/dataset.hpp"

namespace bn {

struct Survey {
  int64_t measured = 0;
  int64_t median_width = 0, median_height = 0, median_shorter = 0;  // pixels, upright
  std::array<double, 3> mean{}, deviation{};                        // the pixels' R, G, B, scaled to 0..1
  std::vector<std::string> unreadable{};                            // "name: reason"
};

// Decodes at most `most` encoded images, at equal distances, in so many threads. Each image counts alike.
Survey survey_images(const Dataset& images, int64_t most, int64_t workers);

}  // namespace bn
