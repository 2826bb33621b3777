// A thread adds the terms of four neighbouring values, or of one where they do not start on 16 bytes. Up to eight terms
// are added in registers; of more, each eight neighbours first. Bytes per value: each term is read once and the sum
// written; of more than eight terms an eighth is written and read again.
#include "cuda/kernels/exchange.hpp"

#include "cuda/kernels/device.hpp"

namespace bn::cuda {
namespace {

constexpr int64_t kMostTerms = 8;

// Adds 2^Levels terms.
template <int Levels, int N>
__device__ __forceinline__ void add_terms(float (&sum)[N], const float* terms, int64_t stride) {
  if constexpr (Levels == 0) {
    load<float, N>(sum, terms);
  } else {
    constexpr int kHalf = 1 << (Levels - 1);
    float right[N];
    add_terms<Levels - 1, N>(sum, terms, stride);
    add_terms<Levels - 1, N>(right, terms + kHalf * stride, stride);
#pragma unroll
    for (int k = 0; k < N; ++k) sum[k] += right[k];
  }
}

// The sum may overwrite the first of its terms.
template <int Levels, int N>
__global__ void __launch_bounds__(kThreads)
    tree_sum_kernel(float* to, const float* terms, int64_t stride, int64_t count) {
  const int64_t first = item_index() * N;
  if (first >= count) return;
  float sum[N];
  add_terms<Levels, N>(sum, terms + first, stride);
  store(to + first, sum);
}

__global__ void first_step_kernel(int64_t* first, const int64_t* all, int64_t count) {
  int64_t least = -1;
  for (int64_t k = 0; k < count; ++k) {
    if (all[k] >= 0 && (least < 0 || all[k] < least)) least = all[k];
  }
  *first = least;
}

}  // namespace

void tree_sum(const Context& context, float* to, float* terms, int64_t stride, int64_t term_count, int64_t count) {
  const bool wide = count % 4 == 0 && stride % 4 == 0 && is_aligned(to) && is_aligned(terms);
  const auto add = [&](auto wide_kernel, auto narrow_kernel, float* sum, const float* of) {
    launch(context, "tree_sum", wide ? wide_kernel : narrow_kernel, grid_of(wide ? count / 4 : count), sum, of, stride,
           count);
  };
  while (term_count > kMostTerms) {
    term_count /= kMostTerms;
    for (int64_t k = 0; k < term_count; ++k) {
      float* neighbours = terms + k * kMostTerms * stride;
      add(tree_sum_kernel<3, 4>, tree_sum_kernel<3, 1>, neighbours, neighbours);
    }
    stride *= kMostTerms;
  }
  if (term_count == 8) return add(tree_sum_kernel<3, 4>, tree_sum_kernel<3, 1>, to, terms);
  if (term_count == 4) return add(tree_sum_kernel<2, 4>, tree_sum_kernel<2, 1>, to, terms);
  add(tree_sum_kernel<1, 4>, tree_sum_kernel<1, 1>, to, terms);
}

void first_step(const Context& context, int64_t* first, const int64_t* all, int64_t count) {
  launch(context, "first_step", first_step_kernel, {.x = 1, .threads = 1}, first, all, count);
}

}  // namespace bn::cuda
