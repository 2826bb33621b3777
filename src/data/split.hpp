// Some images of a set as a set of their own, and one set in two parts, for training and for validation, by what the
// images hold: moving or renaming files changes nothing, and equal files are never on both sides.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "bn/dataset.hpp"

namespace bn {

// The images at these indices, in ascending order. `left_out` is what the selection says of itself.
std::unique_ptr<Dataset> select_images(std::unique_ptr<Dataset> images, std::vector<int64_t> kept,
                                       LeftOut left_out = {});

// Which images are for validation: about the share asked for of each class, never all of it, and at least one where
// copies allow it. Images with equal keys (copies) stay together, also across classes. A class with a single image, or
// with copies of one alone, is only trained on.
std::vector<bool> choose_validation(const std::vector<int32_t>& labels, const std::vector<uint64_t>& keys,
                                    const SplitOptions& options);

// Throws DataError where no image can be spared for validation.
std::unique_ptr<Dataset> part_of(std::unique_ptr<Dataset> whole, const DataOptions& options, Split split);

}  // namespace bn
