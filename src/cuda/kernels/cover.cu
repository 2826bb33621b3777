#include <algorithm>

#include "cuda/kernels/cover.hpp"

namespace bn::cuda {

Cover cover(const Context& context, const PartedMatrix& shape, const Matrices& matrices, int blocks_per_multiprocessor,
            int64_t max_columns) {
  const int64_t c = shape.c(), m = shape.m();
  const int64_t wide = 16 / size_of(shape.parts[0].dtype);
  Cover cover{.lanes = Lanes::kWide};
  for (const Matrix& matrix : matrices.all()) {
    if (matrix.c % wide != 0 || matrix.stride % wide != 0 || !is_aligned(matrix.data)) cover.lanes = Lanes::kOne;
  }
  const int64_t accesses = cover.lanes == Lanes::kWide ? c / wide : c;
  // The widest tile that leaves the fewest threads without columns.
  int64_t least_waste = accesses + 1;
  const int64_t lanes = cover.lanes == Lanes::kWide ? wide : 1;
  for (const int tile : {32, 16, 8, 4}) {
    if (tile * lanes > max_columns) continue;
    const int64_t waste = (accesses + tile - 1) / tile * tile - accesses;
    if (waste >= least_waste) continue;
    least_waste = waste;
    cover.tile = tile;
  }
  const int64_t columns = (accesses + cover.tile - 1) / cover.tile;
  const int64_t rows_at_once = int64_t{kThreads} / cover.tile * kRowsInFlight;
  const int64_t wanted = std::max<int64_t>(1, int64_t{context.multiprocessors} * blocks_per_multiprocessor / columns);
  cover.columns = static_cast<unsigned>(columns);
  cover.rows = static_cast<unsigned>(std::clamp<int64_t>((m + rows_at_once - 1) / rows_at_once, 1, wanted));
  return cover;
}

int64_t sum_tickets(const Context& context) { return sum_blocks_of(context); }

Cover cover_of_sums(const Context& context, const PartedMatrix& shape, const Matrices& matrices) {
  return cover(context, shape, matrices, kSumBlocksPerMultiprocessor, kMaxSumColumns);
}

}  // namespace bn::cuda
