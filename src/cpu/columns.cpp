#include "cpu/columns.hpp"

#include <algorithm>

#include "cpu/parallel.hpp"

namespace bn::cpu {
namespace {

constexpr int64_t kMinRows = 64;    // a tile has so many that merging its sums costs little
constexpr int64_t kMaxGroups = 64;  // enough for every thread to have several
constexpr int64_t kMergeColumns = 128;

NormalizeColumns offset(const NormalizeColumns& by, int64_t column) {
  return {by.mean + column, by.scale + column, by.shift + column};
}

InputGradientColumns offset(const InputGradientColumns& by, int64_t column) {
  return {by.dz_factor + column, by.x_factor + column, by.constant + column};
}

}  // namespace

Tiles::Tiles(int64_t m, int64_t c) : m_(m), c_(c) {
  rows_ = divide_up(std::max(kMinRows, divide_up(m, kMaxGroups)), kMinRows) * kMinRows;
  groups_ = divide_up(m, rows_);
  blocks_ = divide_up(c, kColumnBlock);
  columns_ = blocks_ == 1 ? c : std::min(kColumnBlock, divide_up(divide_up(c, blocks_), 64) * 64);  // whole lines
  blocks_ = divide_up(c, columns_);
}

int64_t Tiles::rows_of_group(int64_t group) const { return std::min(rows_, m_ - group * rows_); }

Tile Tiles::operator[](int64_t index) const {
  const int64_t group = index / blocks_, column = index % blocks_ * columns_;
  return {.group = group,
          .row = group * rows_,
          .rows = rows_of_group(group),
          .column = column,
          .columns = std::min(columns_, c_ - column)};
}

Rows rows_at(const Matrix& matrix, const Tile& tile) {
  if (matrix.data == nullptr) return {};
  const int64_t offset = (tile.row * matrix.stride + tile.column) * size_of(matrix.dtype);
  return {static_cast<uint8_t*>(matrix.data) + offset, matrix.stride};
}

void column_reduce(double* partial, const Matrix& x, const Tiles& tiles, const KernelTable& kernels) {
  const int64_t c = x.c;
#pragma omp parallel if (worth_threads(x.m * c))
  {
    const Share mine = share_of(tiles.count());
    for (int64_t i = mine.begin; i < mine.end; ++i) {
      const Tile tile = tiles[i];
      double* mean = partial + 2 * tile.group * c + tile.column;
      kernels.columns(x.dtype).moments(mean, mean + c, rows_at(x, tile), tile.rows, tile.columns);
    }
#pragma omp barrier
    const Share blocks = share_of(divide_up(c, kMergeColumns));
    const int64_t first = blocks.begin * kMergeColumns, columns = std::min(c, blocks.end * kMergeColumns) - first;
    int64_t count = tiles.rows_of_group(0);
    for (int64_t group = 1; group < tiles.groups() && columns > 0; ++group) {
      const double* other = partial + 2 * group * c + first;
      const int64_t rows = tiles.rows_of_group(group);
      kernels.statistics.merge_moments(partial + first, partial + c + first, count, other, other + c, rows, columns);
      count += rows;
    }
  }
}

void column_bias_activation(const Matrix& y, const Matrix& x, const float* bias, Activation activation,
                            const Tiles& tiles, const KernelTable& kernels) {
#pragma omp parallel if (worth_threads(x.m * x.c))
  {
    const Share mine = share_of(tiles.count());
    for (int64_t i = mine.begin; i < mine.end; ++i) {
      const Tile tile = tiles[i];
      kernels.columns(x.dtype).bias_activation(rows_at(y, tile), rows_at(x, tile),
                                               bias == nullptr ? nullptr : bias + tile.column, tile.rows, tile.columns,
                                               activation);
    }
  }
}

void column_activation_gradient(const Matrix& dx, double* partial, const Matrix& dy, const Matrix& y,
                                Activation activation, const Tiles& tiles, const KernelTable& kernels) {
#pragma omp parallel if (worth_threads(dy.m * dy.c))
  {
    const Share mine = share_of(tiles.count());
    for (int64_t i = mine.begin; i < mine.end; ++i) {
      const Tile tile = tiles[i];
      double* sum = partial == nullptr ? nullptr : partial + tile.group * dy.c + tile.column;
      kernels.columns(dy.dtype).bias_activation_gradient(rows_at(dx, tile), sum, rows_at(dy, tile), rows_at(y, tile),
                                                         tile.rows, tile.columns, activation);
    }
  }
  if (partial != nullptr) add_groups(partial, dy.c, tiles, kernels);
}

void column_normalize(const Matrix& y, const Matrix& x, const NormalizeColumns& by, Activation activation,
                      const Tiles& tiles, const KernelTable& kernels) {
#pragma omp parallel if (worth_threads(x.m * x.c))
  {
    const Share mine = share_of(tiles.count());
    for (int64_t i = mine.end - 1; i >= mine.begin; --i) {
      const Tile tile = tiles[i];
      kernels.columns(x.dtype).normalize(rows_at(y, tile), rows_at(x, tile), offset(by, tile.column), tile.rows,
                                         tile.columns, activation);
    }
  }
}

void add_groups(double* partial, int64_t width, const Tiles& tiles, const KernelTable& kernels) {
#pragma omp parallel if (worth_threads(width * tiles.groups()))
  {
    const Share blocks = share_of(divide_up(width, kMergeColumns));
    const int64_t first = blocks.begin * kMergeColumns, columns = std::min(width, blocks.end * kMergeColumns) - first;
    for (int64_t group = 1; group < tiles.groups() && columns > 0; ++group) {
      kernels.statistics.add(partial + first, partial + group * width + first, columns);
    }
  }
}

void column_gradient_sums(double* partial, const Matrix& dy, const Matrix& x, const Matrix& y,
                          const NormalizeColumns& forward, Activation activation, const Tiles& tiles,
                          const KernelTable& kernels) {
  const int64_t c = x.c;
#pragma omp parallel if (worth_threads(x.m * c))
  {
    const Share mine = share_of(tiles.count());
    for (int64_t i = mine.begin; i < mine.end; ++i) {
      const Tile tile = tiles[i];
      double* sum_dz = partial + 2 * tile.group * c + tile.column;
      kernels.columns(x.dtype).gradient_sums(sum_dz, sum_dz + c, rows_at(dy, tile), rows_at(x, tile), rows_at(y, tile),
                                             offset(forward, tile.column), tile.rows, tile.columns, activation);
    }
  }
  add_groups(partial, 2 * c, tiles, kernels);
}

void column_input_gradient(const Matrix& dx, const Matrix& dy, const Matrix& x, const Matrix& y,
                           const NormalizeColumns& forward, const InputGradientColumns& by, Activation activation,
                           const Tiles& tiles, const KernelTable& kernels) {
#pragma omp parallel if (worth_threads(x.m * x.c))
  {
    const Share mine = share_of(tiles.count());
    for (int64_t i = mine.end - 1; i >= mine.begin; --i) {
      const Tile tile = tiles[i];
      kernels.columns(x.dtype).input_gradient(rows_at(dx, tile), rows_at(dy, tile), rows_at(x, tile), rows_at(y, tile),
                                              offset(forward, tile.column), offset(by, tile.column), tile.rows,
                                              tile.columns, activation);
    }
  }
}

}  // namespace bn::cpu
