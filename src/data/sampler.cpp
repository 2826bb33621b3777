#include <fmt/format.h>

#include <numeric>
#include <utility>

#include "bn/data.hpp"
#include "bn/error.hpp"
#include "bn/rng.hpp"

namespace bn {

Sampler::Sampler(int64_t size, Shuffle shuffle, uint64_t seed) : size_(size), shuffle_(shuffle), seed_(seed) {
  if (size < 1) throw DataError(fmt::format("a data set of {} images has no order to draw", size));
}

int64_t Sampler::index(int64_t epoch, int64_t position) {
  if (shuffle_ == Shuffle::kNone) return position;
  if (epoch != cached_epoch_) {
    permutation_.resize(static_cast<size_t>(size_));
    std::iota(permutation_.begin(), permutation_.end(), int64_t{0});
    RandomStream random(seed_, hash_name("data/order"), static_cast<uint64_t>(epoch));
    // Fisher-Yates: every permutation equally likely.
    for (int64_t i = size_ - 1; i > 0; --i) {
      std::swap(permutation_[static_cast<size_t>(i)], permutation_[static_cast<size_t>(random.uniform_index(i + 1))]);
    }
    cached_epoch_ = epoch;
  }
  return permutation_[static_cast<size_t>(position)];
}

}  // namespace bn
