// The generated data set: ten classes of drawn, textured shapes in clutter. Position, size, rotation, colours and
// textures say nothing about the class, so only the outline does; a linear model finds next to nothing in the pixels.
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "bn/dataset.hpp"

namespace bn {

inline constexpr std::array<const char*, 10> kShapeNames{"arrow", "crescent", "cross",  "disk", "frame",
                                                         "heart", "ring",     "square", "star", "triangle"};

// Draws the image of one index into out [size, size, 3] RGB; a pure function of (seed, split, index, shape).
// shape indexes kShapeNames.
void draw_shape_image(const ShapesOptions& options, Split split, int64_t index, int64_t shape, uint8_t* out);

// Writes the split as folder/<class>/<index>.png, readable again as an image folder. StorageError when it cannot.
void write_shapes_folder(const ShapesOptions& options, Split split, const std::string& folder);

// One PNG: a row per class, columns images each.
void write_contact_sheet(const ShapesOptions& options, Split split, int64_t columns, const std::string& file);

}  // namespace bn
