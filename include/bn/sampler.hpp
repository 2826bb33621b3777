// The order of training images.
#pragma once

#include <cstdint>
#include <vector>

#include "bn/data_options.hpp"

namespace bn {

// One process among several that train together.
struct Part {
  int64_t rank = 0, world = 1;
};

// The order of training images: position -> (epoch, index). Stateless but for a cached order per epoch. Of several
// processes, that of rank r has the positions r, r + world, r + 2 world, ... of the one order that all draw alike:
// equal and disjoint parts, and together the batches that one process would have with a batch of world times the size.
class Sampler {
 public:
  Sampler(std::vector<int64_t> shard_sizes, Shuffle shuffle, uint64_t seed, Part part = {});
  int64_t size() const { return size_ / part_.world; }  // positions of this part
  int64_t index(int64_t epoch, int64_t position);       // position in 0..size()-1
 private:
  void draw_order(int64_t epoch);

  std::vector<int64_t> shard_sizes_;
  int64_t size_;  // images of all parts
  Shuffle shuffle_;
  uint64_t seed_;
  Part part_;
  int64_t cached_epoch_ = -1;
  std::vector<int64_t> order_;
};

}  // namespace bn
