// Some images of a set as a set of their own.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "bn/dataset.hpp"

namespace bn {

// The images at these indices, in ascending order. `left_out` is what the selection says of itself.
std::unique_ptr<Dataset> select_images(std::unique_ptr<Dataset> images, std::vector<int64_t> kept,
                                       LeftOut left_out = {});

}  // namespace bn
