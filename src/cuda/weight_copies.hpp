// Copies of weights that ops ask for in pack() and unpack(), gathered so that one launch makes those of all ops.
#pragma once

#include <functional>
#include <vector>

#include "cuda/kernels/weights.hpp"

namespace bn::cuda {

struct GatheredWork {
  std::vector<WeightCopy> copies{};
  std::vector<std::function<void()>> others{};  // started after the copies
};

struct WeightCopies {
  bool is_gathering = false;
  GatheredWork gathered{};
};

// These start now, or, while gather() runs its work, are kept for later.
void copy_or_gather(const Context& context, const WeightCopy& copy);
void run_or_gather(const Context& context, std::function<void()> work);

// Returns what `work` asked for, which has not started. The sources of copies must still be there when it does, so
// nothing in an op's scratch is gathered.
GatheredWork gather(const Context& context, const std::function<void()>& work);
void start(const Context& context, const GatheredWork& gathered);

}  // namespace bn::cuda
