// Shrinks an RGB image: each new pixel is the mean of the area that it covers, parts of pixels counting by their share.
// The same result as OpenCV's INTER_AREA to a rounding, in half the time: rows are averaged first, where the compiler
// can use vectors, so that columns are averaged only in the rows that are left.
#pragma once

#include <cstdint>

namespace bn {

// rgb: height rows of width pixels, `stride` bytes from row to row. out [out_height, out_width, 3], no larger in either
// direction.
void average_resize(const uint8_t* rgb, int64_t height, int64_t width, int64_t stride, int64_t out_height,
                    int64_t out_width, uint8_t* out);

}  // namespace bn
