#include "cpu/exchange.hpp"

#include <algorithm>
#include <array>
#include <vector>

namespace bn::cpu {
namespace {

// Every process sends its sums to all processes, and reads those of the ranks that it shares with.
class HostPartExchange final : public PartExchange {
 public:
  HostPartExchange(Group& group, int64_t parts) : group_(group), parts_(parts) {}

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

class HostExchange final : public Exchange {
 public:
  explicit HostExchange(Group& group) : group_(group), bad_steps_(static_cast<size_t>(group.place().world)) {}

  void sum(std::span<const Tensor> slabs, StepState* step) override {
    for (const Tensor& slab : slabs) group_.sum({slab.as<float>(), static_cast<size_t>(slab.shape.elements())});
    const std::array<double, 1> mine{static_cast<double>(step->first_bad_step)};
    group_.gather(mine, bad_steps_);
    for (const double other : bad_steps_) {
      const auto bad = static_cast<int64_t>(other);
      if (bad >= 0 && (step->first_bad_step < 0 || bad < step->first_bad_step)) step->first_bad_step = bad;
    }
  }

  std::unique_ptr<PartExchange> parts(int64_t parts) override {
    return std::make_unique<HostPartExchange>(group_, parts);
  }

 private:
  Group& group_;
  std::vector<double> bad_steps_;  // by rank
};

}  // namespace

std::unique_ptr<Exchange> make_exchange(Group& group) { return std::make_unique<HostExchange>(group); }

}  // namespace bn::cpu
