// Netpbm's gray and coloured pictures, as text (P2, P3) or bytes (P5, P6). A file says itself which value is full
// brightness; OpenCV takes it for 255 or 65535 in all but some text files.
#pragma once

#include <cstdint>

#include "data/image.hpp"

namespace bn {

struct NetpbmHeader {
  int64_t kind = 0;  // 1 to 6, as in "P6"; 0: the file is of another format
  int64_t width = 0, height = 0;
  int64_t maximum = 0;  // the value of full brightness; bitmaps have none
  int64_t pixels = 0;   // their place in the file
};
NetpbmHeader netpbm_header(const FileHeader& file);

// Decodes the picture if OpenCV would not do it right, and returns whether it did. Throws DataError for a value beyond
// the maximum, and for a picture to be decoded here that is cut off.
bool decode_netpbm(const FileHeader& file, int64_t channels, Image& out);

}  // namespace bn
