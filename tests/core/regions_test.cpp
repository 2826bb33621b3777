#include "core/regions.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace bn {
namespace {

TEST(Regions, StartAtMultiplesWhereverTheBufferStarts) {
  Regions regions;
  EXPECT_EQ(regions.bytes(), 0);
  EXPECT_EQ(regions.add(1), 0);
  EXPECT_EQ(regions.add(256), 256);
  EXPECT_EQ(regions.add(0), 512);
  std::vector<char> buffer(static_cast<size_t>(regions.bytes() + 7));
  for (const int64_t start : {0, 1, 7}) {
    char* const base = buffer.data() + start;
    auto* const part = static_cast<char*>(at(base, 256));
    EXPECT_EQ(reinterpret_cast<uintptr_t>(part) % 256, 0U);
    EXPECT_GE(part, base + 256);
    EXPECT_LE(part + 256, base + regions.bytes());
  }
  EXPECT_EQ(at(nullptr, 256), nullptr);
}

}  // namespace
}  // namespace bn
