// How an [m, c] matrix is divided among threads, by rows and by columns.
#pragma once

#include "cpu/kernels/kernels.hpp"
#include "cpu/parallel.hpp"

namespace bn::cpu {

// A block of a matrix, the unit of work.
struct Tile {
  int64_t group = 0;  // the group of rows
  int64_t row = 0, rows = 0;
  int64_t column = 0, columns = 0;

  Rows of(const ops::Matrix& matrix) const;  // the first of its rows
};

// A fixed division of an [m, c] matrix into groups of rows and blocks of columns; it depends on m and c alone.
class Tiles {
 public:
  Tiles(int64_t m, int64_t c);

  int64_t groups() const { return groups_; }
  int64_t rows_of_group(int64_t group) const { return std::min(rows_, m_ - group * rows_); }
  Tile operator[](int64_t index) const;  // tiles are counted in memory order

  // Calls work(tile) for all of them.
  template <class Work>
  void for_each(const Work& work) const {
    in_shares(groups_ * blocks_, m_ * c_, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) work((*this)[i]);
    });
  }
  // Each thread's last ones first: they may still be in its cache.
  template <class Work>
  void for_each_backwards(const Work& work) const {
    in_shares(groups_ * blocks_, m_ * c_, [&](int64_t begin, int64_t end) {
      for (int64_t i = end - 1; i >= begin; --i) work((*this)[i]);
    });
  }

 private:
  int64_t m_, c_;
  int64_t rows_, columns_;  // a full tile's
  int64_t groups_, blocks_;
};

}  // namespace bn::cpu
