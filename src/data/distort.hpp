// Photometric distortion: brightness, contrast, saturation, hue and PCA lighting of an RGB image as one affine map of
// its colours. Saturation and hue leave gray where it is and contrast scales around a gray, so the three commute and
// the order in which recipes apply them is of no account.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "bn/rng.hpp"

namespace bn {

struct Distortion {
  double brightness = 0;             // added to pixels scaled to 0..1
  double contrast = 1;               // multiplies the distance from the image's mean gray
  double saturation = 1;             // multiplies the distance from the pixel's gray
  double hue = 0;                    // angle by which I and Q of YIQ are turned
  std::array<double, 3> lighting{};  // added to R, G, B
};

// At strength 1 the ranges are those of Google's published input pipeline (brightness +-32/255, contrast and saturation
// 0.5 to 1.5, hue +-0.2 of a turn), and lighting is AlexNet's (a normal draw of deviation 0.1 for each of its three
// directions). All shrink with the strength. directions: DataOptions::lighting.
Distortion draw_distortion(double strength, const std::vector<double>& directions, RandomStream& random);

// Rows R G B; columns R G B 1, for pixels 0..255. `mean`: one for each channel of the image that the matrix is for.
using ColorMatrix = std::array<std::array<double, 4>, 3>;
ColorMatrix color_matrix(const Distortion& distortion, const std::array<double, 3>& mean);

// Replaces each pixel of an RGB image by its product with the matrix, rounded and clamped to 0..255.
void apply_color_matrix(const ColorMatrix& matrix, int64_t pixels, uint8_t* rgb);

// Measures the mean, then does both of the above.
void distort(const Distortion& distortion, int64_t pixels, uint8_t* rgb);

}  // namespace bn
