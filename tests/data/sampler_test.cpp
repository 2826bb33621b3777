#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <vector>

#include "bn/data.hpp"
#include "bn/error.hpp"
#include "support/error_message.hpp"

namespace bn {
namespace {

std::vector<int64_t> epoch_order(Sampler& sampler, int64_t epoch, int64_t size) {
  std::vector<int64_t> order;
  for (int64_t i = 0; i < size; ++i) order.push_back(sampler.index(epoch, i));
  return order;
}

TEST(Sampler, FullShuffleIsAPermutationOfEachEpoch) {
  Sampler sampler(100, Shuffle::kFull, 7);
  for (int64_t epoch = 0; epoch < 3; ++epoch) {
    auto order = epoch_order(sampler, epoch, 100);
    std::vector<int64_t> all(100);
    std::iota(all.begin(), all.end(), 0);
    EXPECT_NE(order, all);
    std::sort(order.begin(), order.end());
    EXPECT_EQ(order, all);
  }
}

TEST(Sampler, OrderDependsOnSeedAndEpochOnly) {
  Sampler one(50, Shuffle::kFull, 3), other(50, Shuffle::kFull, 3), reseeded(50, Shuffle::kFull, 4);
  const auto third = epoch_order(one, 3, 50);
  EXPECT_NE(third, epoch_order(one, 4, 50));
  EXPECT_EQ(third, epoch_order(one, 3, 50));    // back again
  EXPECT_EQ(third, epoch_order(other, 3, 50));  // without the epochs before
  EXPECT_NE(third, epoch_order(reseeded, 3, 50));
}

TEST(Sampler, EveryImageIsEquallyLikelyAtTheFirstPosition) {
  constexpr int64_t kSize = 5, kEpochs = 5000;
  Sampler sampler(kSize, Shuffle::kFull, 11);
  std::vector<int64_t> count(kSize);
  for (int64_t epoch = 0; epoch < kEpochs; ++epoch) ++count[static_cast<size_t>(sampler.index(epoch, 0))];
  // 1000 expected, deviation 28.
  for (const int64_t times : count) EXPECT_NEAR(static_cast<double>(times), 1000, 140);
}

TEST(Sampler, WithoutShuffleTheOrderIsTheFiles) {
  Sampler sampler(4, Shuffle::kNone, 7);
  EXPECT_EQ(epoch_order(sampler, 2, 4), (std::vector<int64_t>{0, 1, 2, 3}));
}

TEST(Sampler, RefusesAnEmptySet) {
  EXPECT_EQ(test::error_message<DataError>([] { const Sampler sampler(0, Shuffle::kFull, 1); }),
            "a data set of 0 images has no order to draw");
}

}  // namespace
}  // namespace bn
