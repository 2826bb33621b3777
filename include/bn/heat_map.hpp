// Pictures of where a network saw something.
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

// Writes the image as a PNG file, coloured where the map is above zero: from blue to red at the map's maximum. Its
// longer side is at most 1,024 pixels. Throws DataError where the image cannot be read, StorageError where the file
// cannot be written, UnsupportedError in a build without OpenCV's imgcodecs.
void draw_heat_map(const Dataset& images, int64_t index, const DataOptions& data, const HeatMap& map,
                   const std::string& path);

}  // namespace bn
