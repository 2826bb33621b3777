#include <fmt/format.h>

#include <numeric>
#include <utility>

#include "bn/error.hpp"
#include "bn/rng.hpp"
#include "bn/sampler.hpp"

namespace bn {
namespace {

// Fisher-Yates: every permutation equally likely.
void permute(std::vector<int64_t>& values, int64_t begin, int64_t end, RandomStream& random) {
  for (int64_t i = end - 1; i > begin; --i) {
    const int64_t other = begin + random.uniform_index(i - begin + 1);
    std::swap(values[static_cast<size_t>(i)], values[static_cast<size_t>(other)]);
  }
}

std::vector<int64_t> first_numbers(int64_t count) {
  std::vector<int64_t> numbers(static_cast<size_t>(count));
  std::iota(numbers.begin(), numbers.end(), int64_t{0});
  return numbers;
}

}  // namespace

Sampler::Sampler(std::vector<int64_t> shard_sizes, Shuffle shuffle, uint64_t seed, Part part)
    : shard_sizes_(std::move(shard_sizes)),
      size_(std::accumulate(shard_sizes_.begin(), shard_sizes_.end(), int64_t{0})),
      shuffle_(shuffle),
      seed_(seed),
      part_(part) {
  if (size_ < 1) throw DataError(fmt::format("a data set of {} images has no order to draw", size_));
  if (part_.world < 1 || part_.rank < 0 || part_.rank >= part_.world) {
    throw ConfigError(fmt::format("data: there is no process {} of {}", part_.rank, part_.world));
  }
  if (size() < 1) {
    throw DataError(fmt::format("a data set of {} images is too small for {} processes", size_, part_.world));
  }
}

int64_t Sampler::index(int64_t epoch, int64_t position) {
  const int64_t place = position * part_.world + part_.rank;
  if (shuffle_ == Shuffle::kNone) return place;
  if (epoch != cached_epoch_) draw_order(epoch);
  return order_[static_cast<size_t>(place)];
}

void Sampler::draw_order(int64_t epoch) {
  RandomStream random(seed_, hash_name("data/order"), static_cast<uint64_t>(epoch));
  if (shuffle_ == Shuffle::kFull) {
    order_.resize(static_cast<size_t>(size_));
    std::iota(order_.begin(), order_.end(), int64_t{0});
    permute(order_, 0, size_, random);
  } else {
    std::vector<int64_t> starts(shard_sizes_.size());
    std::exclusive_scan(shard_sizes_.begin(), shard_sizes_.end(), starts.begin(), int64_t{0});
    auto shards = first_numbers(static_cast<int64_t>(shard_sizes_.size()));
    permute(shards, 0, static_cast<int64_t>(shards.size()), random);
    order_.clear();
    for (const int64_t shard : shards) {
      const auto begin = static_cast<int64_t>(order_.size()), count = shard_sizes_[static_cast<size_t>(shard)];
      for (int64_t i = 0; i < count; ++i) order_.push_back(starts[static_cast<size_t>(shard)] + i);
      if (shuffle_ == Shuffle::kWithinShard) permute(order_, begin, begin + count, random);
    }
  }
  cached_epoch_ = epoch;
}

}  // namespace bn
