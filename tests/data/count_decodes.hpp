#pragma once

#include <cstdint>

namespace bn::test {

// How often libjpeg began to decode an image in this program so far.
int64_t jpeg_decodes();

}  // namespace bn::test
