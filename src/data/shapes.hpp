// The generated data set: ten classes of drawn, textured shapes in clutter. Position, size, rotation, colours and
// textures say nothing about the class, so only the outline does; a linear model finds next to nothing in the pixels.
#pragma once

#include <array>
#include <cstdint>

#include "bn/dataset.hpp"

namespace bn {

inline constexpr std::array<const char*, 10> kShapeNames{"arrow", "crescent", "cross",  "disk", "frame",
                                                         "heart", "ring",     "square", "star", "triangle"};

// Draws the image of one index into out [size, size, 3] RGB; a pure function of (seed, split, index, shape).
// shape indexes kShapeNames.
void draw_shape_image(const ShapesOptions& options, Split split, int64_t index, int64_t shape, uint8_t* out);

int64_t images_in(const ShapesOptions& options, Split split);

// Throws ConfigError for sizes that cannot be drawn, or fewer images than classes.
void check_shapes(const ShapesOptions& options, Split split, int64_t classes);

}  // namespace bn
