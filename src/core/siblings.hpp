// Siblings: 1x1 convolutions that read the same value, the batch norms after these, and the other batch norms of one
// concatenation. Their parameters lie one after another, so that a plan can compute them as one op
// (src/plan/merge_siblings.cpp).
#pragma once

#include <vector>

#include "bn/net.hpp"

namespace bn {

// Indices in the order in which a slab holds them: that of creation, but where the first of some siblings has a tensor,
// those of the others follow it.
std::vector<int> parameter_order(const Net& net);
std::vector<int> state_order(const Net& net);

}  // namespace bn
