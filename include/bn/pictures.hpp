// Pictures for people, as PNG files that name this program. Each throws DataError where an image cannot be read, and
// StorageError where the file cannot be written.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "bn/dataset.hpp"

namespace bn {

// A value for each cell of a grid over what the network saw of an image: its centre, as evaluation crops it.
struct HeatMap {
  int64_t height = 0, width = 0;
  std::vector<float> values{};  // row by row
};

// The image, coloured where the map is above zero: from blue to red at the map's maximum. Its longer side is at most
// 1,024 pixels.
void draw_heat_map(const Dataset& images, int64_t index, const DataOptions& data, const HeatMap& map,
                   const std::string& path);

// The image within `side` x `side` pixels.
void draw_thumbnail(const Dataset& images, int64_t index, const DataOptions& data, int64_t side,
                    const std::string& path);

// The weights of a convolution that reads the images.
struct Filters {
  int64_t count = 0, side = 0, channels = 0;  // channels: 1 or 3
  std::vector<float> weights{};               // [count, side, side, channels]
};
// A PNG file with a tile for each filter. A weight of zero is grey; each filter's largest magnitude is white or black,
// in each colour.
std::string picture_of(const Filters& filters);

}  // namespace bn
