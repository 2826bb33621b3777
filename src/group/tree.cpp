#include "group/tree.hpp"

namespace bn {
namespace {

void add(float* __restrict to, const float* __restrict other, int64_t count) {
  for (int64_t i = 0; i < count; ++i) to[i] += other[i];
}

}  // namespace

void add_by_tree(std::span<float* const> terms, int64_t count) {
  for (size_t step = 1; step < terms.size(); step *= 2) {
    for (size_t k = 0; k + step < terms.size(); k += 2 * step) add(terms[k], terms[k + step], count);
  }
}

}  // namespace bn
