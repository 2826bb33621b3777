#include "cpu/tiles.hpp"

namespace bn::cpu {
namespace {

constexpr int64_t kMinRows = 64;    // a tile has so many that merging its sums costs little
constexpr int64_t kMaxGroups = 64;  // enough for every thread to have several

}  // namespace

Rows Tile::of(const ops::Matrix& matrix) const {
  if (matrix.data == nullptr) return {};
  const int64_t offset = (row * matrix.stride + column) * size_of(matrix.dtype);
  return {static_cast<uint8_t*>(matrix.data) + offset, matrix.stride};
}

Tiles::Tiles(int64_t m, int64_t c) : m_(m), c_(c) {
  rows_ = divide_up(std::max(kMinRows, divide_up(m, kMaxGroups)), kMinRows) * kMinRows;
  groups_ = divide_up(m, rows_);
  blocks_ = divide_up(c, kColumnBlock);
  columns_ = blocks_ == 1 ? c : std::min(kColumnBlock, divide_up(divide_up(c, blocks_), 64) * 64);  // whole lines
  blocks_ = divide_up(c, columns_);
}

Tile Tiles::operator[](int64_t index) const {
  const int64_t group = index / blocks_, column = index % blocks_ * columns_;
  return {.group = group,
          .row = group * rows_,
          .rows = rows_of_group(group),
          .column = column,
          .columns = std::min(columns_, c_ - column)};
}

}  // namespace bn::cpu
