// Geometry of a training or evaluation image: which rectangle of it, mirrored or not, at which size.
#pragma once

#include "bn/data_options.hpp"
#include "bn/rng.hpp"
#include "data/image.hpp"

namespace bn {

// Makes OpenCV work in the calling thread only, for the whole process: the workers are the parallelism.
void use_no_opencv_threads();

enum class ResizeMethod { kArea, kBilinear, kNearest, kCubic };

struct Crop {
  int64_t top = 0, left = 0, height = 0, width = 0;
  bool mirrored = false;
  ResizeMethod method = ResizeMethod::kArea;
};

// GoogLeNet's crop (area and aspect = width / height uniform, where torchvision draws the aspect's logarithm; ten
// tries, then the largest centred rectangle with an allowed aspect), then the coin for the mirror, then the method of
// resizing. What the options switch off draws nothing.
Crop draw_crop(const AugmentOptions& options, int64_t height, int64_t width, RandomStream& random);

// Resizes the crop to size x size into out [size, size, channels]; kArea is bilinear where it does not shrink.
void resize_crop(const ImageView& image, const Crop& crop, int64_t size, uint8_t* out);

void resize_shorter_side(const ImageView& image, int64_t shorter, Image& out);

// Resizes the shorter side to resize_shorter (0: keeps it, but at least size), cuts the centre size x size.
void resize_and_center_crop(const ImageView& image, int64_t resize_shorter, int64_t size, uint8_t* out);

void mirror(uint8_t* image, int64_t size, int64_t channels);

// Shrinks an RGB image: each new pixel is the mean of the area that it covers, parts of pixels counting by their share.
// The same result as OpenCV's INTER_AREA to a rounding, in half the time: rows are averaged first, where the compiler
// can use vectors, so that columns are averaged only in the rows that are left. rgb: height rows of width pixels,
// `stride` bytes from row to row. out [out_height, out_width, 3], no larger in either direction.
void average_resize(const uint8_t* rgb, int64_t height, int64_t width, int64_t stride, int64_t out_height,
                    int64_t out_width, uint8_t* out);

}  // namespace bn
