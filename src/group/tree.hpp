// The one order in which floating-point values of several processes or parts are added.
#pragma once

#include <cstdint>
#include <span>

namespace bn {

// terms[0][i] = the sum over all terms of terms[k][i], i < count: neighbours are added, then pairs of neighbours, and
// so on. The other terms are used as scratch. A power of two of terms.
void add_by_tree(std::span<float* const> terms, int64_t count);

}  // namespace bn
