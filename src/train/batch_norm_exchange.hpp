// Carries the sums of synchronised batch normalisation between processes, each of which computes one part.
#pragma once

#include <algorithm>
#include <vector>

#include "bn/backend.hpp"
#include "bn/group.hpp"

namespace bn {

// Each `parts` consecutive ranks share their statistics. Every process sends its sums to all processes, and reads those
// of the ranks that it shares with.
class BatchNormExchange final : public PartExchange {
 public:
  BatchNormExchange(Group& group, int64_t parts) : group_(group), parts_(parts) {}

  void gather(std::span<const double> mine, std::span<double> all) override {
    const Place& place = group_.place();
    const size_t count = mine.size() * static_cast<size_t>(place.world);
    all_.resize(std::max(all_.size(), count));
    group_.gather(mine, {all_.data(), count});
    const int64_t first = place.rank / parts_ * parts_;
    std::copy_n(all_.begin() + first * static_cast<int64_t>(mine.size()), all.size(), all.begin());
  }

 private:
  Group& group_;
  int64_t parts_;
  std::vector<double> all_;
};

}  // namespace bn
