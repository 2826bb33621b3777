// The places of an image's crops in evaluation.
#pragma once

#include <vector>

#include "bn/crops.hpp"
#include "data/image.hpp"

namespace bn {

// A square of the image is resized to scale x scale; a square of that, resized to image_size if it is larger, is the
// crop.
struct EvaluationCrop {
  int64_t top = 0, left = 0, side = 0;  // the square's place in the image
  int64_t scale = 0;
  int64_t crop_top = 0, crop_left = 0, crop_side = 0;  // within the resized square
  bool mirrored = false;
};

// Paper: sec. 4.2.3, as GoogLeNet (Szegedy et al. 2014, sec. 7). The shorter side becomes 256, 288, 320 or 352 for
// crops of 224, and in proportion for others. Each size gives the left, middle and right square, or top, middle and
// bottom in an upright image. Each square gives its four corners, its centre and the whole square, each also mirrored.
// Resizing a square of the image is the same as cutting it from the resized image, but for the rounding of its place.
// kTen: the middle square at resize_shorter, or at 256 / 224 of image_size where that is not larger than image_size.
std::vector<EvaluationCrop> evaluation_crops(CropSet set, int64_t height, int64_t width, const DataOptions& options);

// Cuts all of them, one after the other, [crops, image_size, image_size, channels]; a square is resized once for all
// its crops.
void cut_crops(const ImageView& image, const std::vector<EvaluationCrop>& crops, int64_t image_size, uint8_t* out);

}  // namespace bn
