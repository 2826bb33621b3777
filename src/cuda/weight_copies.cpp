#include "cuda/weight_copies.hpp"

namespace bn::cuda {
namespace {

// Ends the gathering also where an op throws.
class Gathering {
 public:
  explicit Gathering(WeightCopies& copies) : copies_(copies) {
    copies_.gathered.clear();
    copies_.is_gathering = true;
  }
  ~Gathering() { copies_.is_gathering = false; }
  Gathering(const Gathering&) = delete;
  Gathering& operator=(const Gathering&) = delete;

 private:
  WeightCopies& copies_;
};

}  // namespace

void copy_or_gather(const Context& context, const WeightCopy& copy) {
  if (context.weight_copies && context.weight_copies->is_gathering) {
    context.weight_copies->gathered.push_back(copy);
  } else {
    copy_weights(context, {&copy, 1});
  }
}

void gather_copies(const Context& context, const std::function<void()>& work) {
  const Gathering until_the_end(*context.weight_copies);
  work();
  copy_weights(context, context.weight_copies->gathered);
}

}  // namespace bn::cuda
