#include "cuda/weight_copies.hpp"

#include <utility>

namespace bn::cuda {
namespace {

// Ends the gathering also where an op throws.
class Gathering {
 public:
  explicit Gathering(WeightCopies& copies) : copies_(copies) {
    copies_.gathered = {};
    copies_.is_gathering = true;
  }
  ~Gathering() { copies_.is_gathering = false; }
  Gathering(const Gathering&) = delete;
  Gathering& operator=(const Gathering&) = delete;

 private:
  WeightCopies& copies_;
};

bool is_gathering(const Context& context) { return context.weight_copies && context.weight_copies->is_gathering; }

}  // namespace

void copy_or_gather(const Context& context, const WeightCopy& copy) {
  if (is_gathering(context)) {
    context.weight_copies->gathered.copies.push_back(copy);
  } else {
    copy_weights(context, {&copy, 1});
  }
}

void run_or_gather(const Context& context, std::function<void()> work) {
  if (is_gathering(context)) {
    context.weight_copies->gathered.others.push_back(std::move(work));
  } else {
    work();
  }
}

GatheredWork gather(const Context& context, const std::function<void()>& work) {
  const Gathering until_the_end(*context.weight_copies);
  work();
  return std::move(context.weight_copies->gathered);
}

void start(const Context& context, const GatheredWork& gathered) {
  copy_weights(context, gathered.copies);
  for (const std::function<void()>& work : gathered.others) work();
}

}  // namespace bn::cuda
