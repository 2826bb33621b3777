// The sum of the gradients that several consumers of one tensor produce.
#include <array>

#include "core/op_checks.hpp"
#include "cpu/columns.hpp"
#include "cpu/parallel.hpp"
#include "cpu/updates.hpp"

namespace bn::cpu {

void sum(const Tensor& dst, const std::vector<Tensor>& srcs) {
  static_assert(kMaxSumSources >= kMaxSumTerms);
  require_sum_terms(srcs.size());
  const auto count = static_cast<int64_t>(srcs.size());
  const Matrix to = matrix_of(dst);
  const Tiles tiles(to.m, to.c);
  const KernelTable& table = kernels();  // outside the parallel region: it may throw
#pragma omp parallel if (worth_threads(to.m * to.c))
  {
    const Share mine = share_of(tiles.count());
    std::array<Rows, kMaxSumSources> sources;
    for (int64_t i = mine.begin; i < mine.end; ++i) {
      const Tile tile = tiles[i];
      for (int64_t k = 0; k < count; ++k) sources[k] = rows_at(matrix_of(srcs[k]), tile);
      table.columns(to.dtype).sum(rows_at(to, tile), sources.data(), count, tile.rows, tile.columns);
    }
  }
}

}  // namespace bn::cpu
