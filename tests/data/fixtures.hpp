// Small data made up on the spot: idx, tar, gzip and image files.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <vector>

#include "bn/dataset.hpp"
#include "bn/error.hpp"
#include "data/image.hpp"
#include "support/error_message.hpp"
#include "support/temporary_folder.hpp"

namespace bn::test {

using Bytes = std::vector<uint8_t>;

Bytes bytes_of(const std::string& text);
Bytes first_part(const Bytes& bytes, double share);  // cut off
Bytes gzip(const Bytes& bytes);

Bytes idx_images(int64_t count, int64_t height, int64_t width, const Bytes& pixels);
Bytes idx_labels(const Bytes& labels);

// A smooth colour gradient that depends on seed, so that no two are alike.
Bytes jpeg_image(int64_t height, int64_t width, int seed);
Bytes png_image(int64_t height, int64_t width, int seed);
Bytes sample_bytes(const Dataset& set, int64_t index);
Image decode(const Bytes& bytes, int64_t channels = 3);
// Each pixel of this one ink mixture, as libjpeg stores it: Adobe's complements where there is Adobe's marker.
enum class FourInks { kCmyk, kYcck, kCmykWithoutMarker };
Bytes cmyk_jpeg_image(int64_t height, int64_t width, const std::vector<uint8_t>& stored_cmyk,
                      FourInks kind = FourInks::kCmyk);

// A ustar header; the caller may spoil it before its checksum is set by seal_tar_header.
Bytes tar_header(const std::string& path, int64_t size, char type = '0');
void seal_tar_header(Bytes& header);
void append(Bytes& to, const Bytes& bytes);
void append_padded(Bytes& to, const Bytes& bytes);  // pads to a multiple of 512
void append_member(Bytes& to, const std::string& path, const Bytes& bytes);
void close_tar(Bytes& tar);  // the two blocks of zeros

struct NamedBytes {
  std::string path;
  Bytes bytes;
};
Bytes tar_of(const std::vector<NamedBytes>& members);

#define EXPECT_CONTAINS(text, part) EXPECT_NE((text).find(part), std::string::npos) << "in: " << (text)

// A file below BN_DATA_ROOT; "" if the variable is unset or the file is not there.
std::string real_data(const std::string& path);

#define REQUIRE_REAL_DATA(path)                                                                \
  if (bn::test::real_data(path).empty()) {                                                     \
    GTEST_SKIP() << "needs " << (path) << " under BN_DATA_ROOT, which is not set or has none"; \
  }

}  // namespace bn::test
