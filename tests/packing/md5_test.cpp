#include "packing/md5.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <string_view>

#include "data/fixtures.hpp"
#include "packing/imagenet.hpp"

namespace bn {
namespace {

using namespace test;  // NOLINT(google-build-using-namespace)

std::string md5_of(std::string_view text) {
  Md5 sum;
  sum.add(reinterpret_cast<const uint8_t*>(text.data()), static_cast<int64_t>(text.size()));
  return sum.hex();
}

TEST(Md5, GivesTheSumsOfItsStandard) {  // RFC 1321, A.5
  EXPECT_EQ(md5_of(""), "d41d8cd98f00b204e9800998ecf8427e");
  EXPECT_EQ(md5_of("abc"), "900150983cd24fb0d6963f7d28e17f72");
  EXPECT_EQ(md5_of("12345678901234567890123456789012345678901234567890123456789012345678901234567890"),
            "57edf4a22be3c955ac49da2e2107b67a");
}

TEST(Md5, DoesNotDependOnThePieces) {
  std::string text;
  for (int i = 0; i < 1000; ++i) text += static_cast<char>(i * 31);
  for (const size_t piece : {1U, 7U, 63U, 64U, 65U, 200U}) {
    Md5 sum;
    for (size_t at = 0; at < text.size(); at += piece) {
      const size_t count = std::min(piece, text.size() - at);
      sum.add(reinterpret_cast<const uint8_t*>(text.data()) + at, static_cast<int64_t>(count));
    }
    EXPECT_EQ(sum.hex(), md5_of(text)) << piece;
  }
}

TEST(Md5, ReadsAFile) {
  const TemporaryFolder dir;
  const std::string path = dir.write("abc", "abc");
  int64_t done = 0;
  EXPECT_EQ(md5_of_file(path, [&](int64_t bytes) { done = bytes; }), "900150983cd24fb0d6963f7d28e17f72");
  EXPECT_EQ(done, 3);
}

}  // namespace
}  // namespace bn
