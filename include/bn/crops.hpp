// Several crops of each image, for evaluation.
#pragma once

#include <cstdint>
#include <memory>

#include "bn/dataset.hpp"

namespace bn {

// Crops of an image for evaluation. kTen: the corners and the centre of the middle square, and their mirror images.
// kGoogLeNet: 144, of four sizes, three squares, six places and the mirror (Szegedy et al. 2014, sec. 7).
enum class CropSet { kSingle, kTen, kGoogLeNet };
int64_t crops_in(CropSet set);
// `images` with each image replaced by its crops of image_size, one after the other. The crops of an image read in a
// row with the same storage come from one decode. The set gives raw pixels; `images` must outlive it.
std::unique_ptr<Dataset> open_crops(const Dataset& images, const DataOptions& options, CropSet set);

}  // namespace bn
