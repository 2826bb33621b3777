// The sums over the rows of a matrix that several processes hold in parts. Every process computes the same bits.
#pragma once

#include "cpu/kernels/kernels.hpp"
#include "ops/own_kernels.hpp"

namespace bn::cpu {

// `moments` holds the mean and the sum of squared deviations, c each, of this part's m rows; they become those of all
// parts' rows (Chan, Golub, LeVeque 1983), taken in the order of the parts. Returns the number of those rows. Throws
// ShapeError if it is 1.
int64_t merge_moments(double* moments, int64_t m, int64_t c, const ops::PartColumns& parts, const KernelTable& kernels);

// `sums`, 2 c of them, become the sums over all parts. Returns the number of rows of all.
int64_t add_sums(double* sums, int64_t m, int64_t c, const ops::PartColumns& parts, const KernelTable& kernels);

}  // namespace bn::cpu
