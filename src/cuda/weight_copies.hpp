// Copies of weights that ops ask for in pack() and unpack(), gathered so that one launch makes those of all ops.
#pragma once

#include <functional>
#include <vector>

#include "cuda/kernels/weights.hpp"

namespace bn::cuda {

struct WeightCopies {
  bool is_gathering = false;
  std::vector<WeightCopy> gathered{};
};

// Copies now, or, while gather_copies() runs its work, at the end of that.
void copy_or_gather(const Context& context, const WeightCopy& copy);

// The gathered copies run when `work` has returned. Their sources must still be there then, so nothing in an op's
// scratch is gathered.
void gather_copies(const Context& context, const std::function<void()>& work);

}  // namespace bn::cuda
