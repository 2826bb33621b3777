// Kernels for what several processes exchange.
#pragma once

#include "cuda/context.hpp"

namespace bn::cuda {

// to[i] = the sum of terms[k * stride + i] over k < term_count, i < count, in the order of group/tree.hpp. The terms
// are used as scratch; term_count is a power of two above 1.
void tree_sum(const Context& context, float* to, float* terms, int64_t stride, int64_t term_count, int64_t count);

// *first = the least of the `count` steps in `all` that is not negative; -1 where all are.
void first_step(const Context& context, int64_t* first, const int64_t* all, int64_t count);

}  // namespace bn::cuda
