#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <set>
#include <vector>

#include "bn/error.hpp"
#include "bn/sampler.hpp"
#include "support/error_message.hpp"

namespace bn {
namespace {

std::vector<int64_t> epoch_order(Sampler& sampler, int64_t epoch, int64_t size) {
  std::vector<int64_t> order;
  for (int64_t i = 0; i < size; ++i) order.push_back(sampler.index(epoch, i));
  return order;
}

TEST(Sampler, FullShuffleIsAPermutationOfEachEpoch) {
  Sampler sampler({100}, Shuffle::kFull, 7);
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
  Sampler one({50}, Shuffle::kFull, 3), other({50}, Shuffle::kFull, 3), reseeded({50}, Shuffle::kFull, 4);
  const auto third = epoch_order(one, 3, 50);
  EXPECT_NE(third, epoch_order(one, 4, 50));
  EXPECT_EQ(third, epoch_order(one, 3, 50));    // back again
  EXPECT_EQ(third, epoch_order(other, 3, 50));  // without the epochs before
  EXPECT_NE(third, epoch_order(reseeded, 3, 50));
}

TEST(Sampler, EveryImageIsEquallyLikelyAtTheFirstPosition) {
  constexpr int64_t kSize = 5, kEpochs = 5000;
  Sampler sampler({kSize}, Shuffle::kFull, 11);
  std::vector<int64_t> count(kSize);
  for (int64_t epoch = 0; epoch < kEpochs; ++epoch) ++count[static_cast<size_t>(sampler.index(epoch, 0))];
  // 1000 expected, deviation 28.
  for (const int64_t times : count) EXPECT_NEAR(static_cast<double>(times), 1000, 140);
}

TEST(Sampler, WithoutShuffleTheOrderIsTheFiles) {
  Sampler sampler({4}, Shuffle::kNone, 7);
  EXPECT_EQ(epoch_order(sampler, 2, 4), (std::vector<int64_t>{0, 1, 2, 3}));
}

// The share of the epochs in which the two images are in the same batch.
double share_together(Shuffle shuffle, int64_t one, int64_t other) {
  constexpr int64_t kEpochs = 4000, kShards = 8, kImages = 16, kBatch = 4;
  Sampler sampler(std::vector<int64_t>(kShards, kImages), shuffle, 5);
  int64_t together = 0;
  for (int64_t epoch = 0; epoch < kEpochs; ++epoch) {
    int64_t batch_of_one = -1, batch_of_other = -2;
    for (int64_t position = 0; position < kShards * kImages; ++position) {
      const int64_t index = sampler.index(epoch, position);
      if (index == one) batch_of_one = position / kBatch;
      if (index == other) batch_of_other = position / kBatch;
    }
    together += batch_of_one == batch_of_other ? 1 : 0;
  }
  return static_cast<double>(together) / kEpochs;
}

TEST(Sampler, HowOftenTwoImagesShareABatch) {
  // There are 8 shards of 16 images in batches of 4: images 0 and 1 are neighbours, 0 and 7 in one shard, 0 and 16 in
  // two.
  for (const Shuffle same : {Shuffle::kNone, Shuffle::kShards}) {
    EXPECT_EQ(share_together(same, 0, 1), 1);
    EXPECT_EQ(share_together(same, 0, 7), 0);
    EXPECT_EQ(share_together(same, 0, 16), 0);
  }
  for (const int64_t other : {1, 7}) EXPECT_NEAR(share_together(Shuffle::kWithinShard, 0, other), 3.0 / 15, 0.025);
  EXPECT_EQ(share_together(Shuffle::kWithinShard, 0, 16), 0);
  for (const int64_t other : {1, 7, 16}) EXPECT_NEAR(share_together(Shuffle::kFull, 0, other), 3.0 / 127, 0.01);
}

TEST(Sampler, ShardsComeInRandomOrderAndWhole) {
  Sampler sampler({3, 1, 4}, Shuffle::kShards, 2);
  std::set<std::vector<int64_t>> orders;
  for (int64_t epoch = 0; epoch < 200; ++epoch) {
    const auto order = epoch_order(sampler, epoch, 8);
    for (const auto& shard : {std::vector<int64_t>{0, 1, 2}, {3}, {4, 5, 6, 7}}) {
      EXPECT_NE(std::search(order.begin(), order.end(), shard.begin(), shard.end()), order.end());
    }
    orders.insert(order);
  }
  EXPECT_EQ(orders.size(), 6U);  // each order of three
}

TEST(Sampler, WithinShardPermutesEachShardInPlace) {
  Sampler sampler({3, 1, 4}, Shuffle::kWithinShard, 2);
  std::set<std::vector<int64_t>> orders;
  for (int64_t epoch = 0; epoch < 20000; ++epoch) {
    const auto order = epoch_order(sampler, epoch, 8);
    const auto shard_of = [](int64_t index) { return index < 3 ? 0 : index < 4 ? 1 : 2; };
    int changes = 0;
    for (size_t i = 1; i < order.size(); ++i) changes += shard_of(order[i]) != shard_of(order[i - 1]) ? 1 : 0;
    EXPECT_EQ(changes, 2);
    orders.insert(order);
  }
  EXPECT_EQ(orders.size(), 6U * 6 * 24);  // orders of the shards, of three images, of four
}

TEST(Sampler, ProcessesHaveEqualDisjointPartsOfOneOrder) {
  for (const Shuffle shuffle : {Shuffle::kNone, Shuffle::kShards, Shuffle::kWithinShard, Shuffle::kFull}) {
    const std::vector<int64_t> shards{20, 13, 17};
    Sampler alone(shards, shuffle, 7);
    for (const int64_t epoch : {0, 3}) {
      const auto whole = epoch_order(alone, epoch, 50);
      for (int64_t rank = 0; rank < 4; ++rank) {
        Sampler part(shards, shuffle, 7, {.rank = rank, .world = 4});
        ASSERT_EQ(part.size(), 12);  // two of the fifty are left out of this epoch
        for (int64_t i = 0; i < 12; ++i) {
          EXPECT_EQ(part.index(epoch, i), whole[static_cast<size_t>(4 * i + rank)]);
        }
      }
    }
  }
}

TEST(Sampler, RefusesImpossibleParts) {
  const auto message = [](Part part) {
    return test::error_message<Error>([&] { const Sampler sampler({3}, Shuffle::kFull, 1, part); });
  };
  EXPECT_EQ(message({.rank = 2, .world = 2}), "data: there is no process 2 of 2");
  EXPECT_EQ(message({.rank = 0, .world = 4}), "a data set of 3 images is too small for 4 processes");
}

TEST(Sampler, RefusesAnEmptySet) {
  EXPECT_EQ(test::error_message<DataError>([] { const Sampler sampler({0}, Shuffle::kFull, 1); }),
            "a data set of 0 images has no order to draw");
}

}  // namespace
}  // namespace bn
