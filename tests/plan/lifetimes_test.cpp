#include "plan/lifetimes.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "bn/rng.hpp"

namespace bn {
namespace {

TEST(AssignOffsets, SharesMemoryBetweenLifetimesThatDoNotMeet) {
  std::vector<Lifetime> buffers{{.bytes = 128, .first = 0, .last = 1}, {.bytes = 128, .first = 2, .last = 3}};
  EXPECT_EQ(assign_offsets(buffers), 128);
  EXPECT_EQ(buffers[0].offset, buffers[1].offset);
}

TEST(AssignOffsets, LastUseAndFirstUseAtTheSameTimeOverlap) {
  std::vector<Lifetime> buffers{{.bytes = 64, .first = 0, .last = 1}, {.bytes = 64, .first = 1, .last = 2}};
  EXPECT_EQ(assign_offsets(buffers), 128);
}

TEST(AssignOffsets, NeverOverlapsAndStaysNearThePeak) {
  RandomStream random(1, 1);
  for (int trial = 0; trial < 50; ++trial) {
    std::vector<Lifetime> buffers(60);
    for (Lifetime& buffer : buffers) {
      buffer.bytes = 1 + random.uniform_index(5000);
      buffer.first = static_cast<int>(random.uniform_index(100));
      buffer.last = buffer.first + static_cast<int>(random.uniform_index(20));
    }
    const int64_t arena = assign_offsets(buffers);
    int64_t peak = 0;
    for (int time = 0; time < 120; ++time) {
      int64_t live = 0;
      for (const Lifetime& a : buffers) live += a.first <= time && time <= a.last ? a.bytes : 0;
      peak = std::max(peak, live);
    }
    EXPECT_LE(arena, 1.5 * static_cast<double>(peak));
    for (size_t i = 0; i < buffers.size(); ++i) {
      EXPECT_EQ(buffers[i].offset % 64, 0);
      EXPECT_LE(buffers[i].offset + buffers[i].bytes, arena);
      for (size_t j = 0; j < i; ++j) {
        const bool same_time = buffers[i].first <= buffers[j].last && buffers[j].first <= buffers[i].last;
        const bool same_place = buffers[i].offset < buffers[j].offset + buffers[j].bytes &&
                                buffers[j].offset < buffers[i].offset + buffers[i].bytes;
        EXPECT_FALSE(same_time && same_place);
      }
    }
  }
}

}  // namespace
}  // namespace bn
