// The order of training images.
#pragma once

#include <cstdint>
#include <vector>

#include "bn/data_options.hpp"

namespace bn {

// One part of a step of training, or one process among several that evaluate together.
struct Part {
  int64_t rank = 0, world = 1;
};

// The order of training images: (epoch, position) -> index. It has no state but a cached order per epoch. Where a step
// has several parts, part r has the positions r, r + world, r + 2 world, ... in the one order that all draw alike. The
// parts are equal and disjoint; together they make the batches of one part whose batch is world times as large.
class Sampler {
 public:
  Sampler(std::vector<int64_t> shard_sizes, Shuffle shuffle, uint64_t seed, Part part = {});
  int64_t size() const { return size_ / part_.world; }  // positions in this part
  int64_t index(int64_t epoch, int64_t position);       // position in 0..size()-1
 private:
  void draw_order(int64_t epoch);

  std::vector<int64_t> shard_sizes_;
  int64_t size_;  // images in all parts
  Shuffle shuffle_;
  uint64_t seed_;
  Part part_;
  int64_t cached_epoch_ = -1;
  std::vector<int64_t> order_;
};

}  // namespace bn
