#include "bn/rng.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

namespace bn {
namespace {

// Known answers published with Random123 (kat_vectors, philox4x32 10 rounds).
TEST(Philox, GivesThePublishedAnswers) {
  EXPECT_EQ(philox({0, 0, 0, 0}, {0, 0}), (PhiloxCounter{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  EXPECT_EQ(philox({~0U, ~0U, ~0U, ~0U}, {~0U, ~0U}), (PhiloxCounter{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(philox({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}),
            (PhiloxCounter{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(RandomStream, RepeatsItselfAndDiffersBetweenStreams) {
  RandomStream a(7, 1), b(7, 1), other_stream(7, 2), other_seed(8, 1), other_substream(7, 1, 1);
  for (int i = 0; i < 10; ++i) {
    const uint32_t draw = a.next();
    EXPECT_EQ(draw, b.next());
    EXPECT_NE(draw, other_stream.next());
    EXPECT_NE(draw, other_seed.next());
    EXPECT_NE(draw, other_substream.next());
  }
}

TEST(RandomStream, UniformHasTheRightMoments) {
  RandomStream random(1, 2);
  constexpr int kDraws = 100000;
  double sum = 0, squares = 0;
  for (int i = 0; i < kDraws; ++i) {
    const double draw = random.uniform(2, 4);
    ASSERT_GE(draw, 2);
    ASSERT_LT(draw, 4);
    sum += draw;
    squares += (draw - 3) * (draw - 3);
  }
  EXPECT_NEAR(sum / kDraws, 3, 0.01);
  EXPECT_NEAR(squares / kDraws, 1.0 / 3, 0.01);
}

TEST(RandomStream, NormalHasTheRightMoments) {
  RandomStream random(3, 4);
  constexpr int kDraws = 100000;
  double sum = 0, squares = 0, fourth = 0;
  for (int i = 0; i < kDraws; ++i) {
    const double draw = random.normal();
    sum += draw;
    squares += draw * draw;
    fourth += std::pow(draw, 4);
  }
  EXPECT_NEAR(sum / kDraws, 0, 0.015);
  EXPECT_NEAR(squares / kDraws, 1, 0.02);
  EXPECT_NEAR(fourth / kDraws, 3, 0.15);
}

TEST(RandomStream, IndexIsUnbiased) {
  RandomStream random(9, 9);
  std::vector<int> counts(7, 0);
  for (int i = 0; i < 70000; ++i) ++counts[static_cast<size_t>(random.uniform_index(7))];
  for (const int count : counts) EXPECT_NEAR(count, 10000, 500);
}

TEST(MaskStream, DependsOnSeedOpStepAndElement) {
  const MaskStream stream{.seed = 1, .op = hash_name("dropout")};
  EXPECT_EQ(stream(3, 4), stream(3, 4));
  EXPECT_NE(stream(3, 4), stream(3, 5));
  EXPECT_NE(stream(3, 4), stream(4, 4));
  EXPECT_NE(stream(3, 4), (MaskStream{.seed = 2, .op = hash_name("dropout")}(3, 4)));
  EXPECT_NE(stream(3, 4), (MaskStream{.seed = 1, .op = hash_name("dropout2")}(3, 4)));
}

}  // namespace
}  // namespace bn
