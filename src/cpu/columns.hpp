// The passes over the columns of an [m, c] matrix that batch normalisation, bias and activation are made of, divided
// among threads by tiles.
#pragma once

#include "cpu/kernels/kernels.hpp"

namespace bn::cpu {

using ops::Matrix;
using ops::matrix_of;

// A block of a matrix, the unit of work.
struct Tile {
  int64_t group = 0;  // the group of rows
  int64_t row = 0, rows = 0;
  int64_t column = 0, columns = 0;
};

// A fixed division of an [m, c] matrix into groups of rows and blocks of columns; it depends on m and c alone.
class Tiles {
 public:
  Tiles(int64_t m, int64_t c);

  int64_t count() const { return groups_ * blocks_; }
  int64_t groups() const { return groups_; }
  int64_t rows_of_group(int64_t group) const;
  Tile operator[](int64_t index) const;  // tiles are counted in memory order
  // The number of doubles that the reductions below need.
  int64_t partial_elements() const { return 2 * groups_ * c_; }

 private:
  int64_t m_, c_;
  int64_t rows_, columns_;  // a full tile's
  int64_t groups_, blocks_;
};

Rows rows_at(const Matrix& matrix, const Tile& tile);

// The first c doubles of `partial` become the mean of each column, the next c the sum of its squared deviations.
void column_reduce(double* partial, const Matrix& x, const Tiles& tiles, const KernelTable& kernels);

// y = activation(x + bias); bias may be null.
void column_bias_activation(const Matrix& y, const Matrix& x, const float* bias, Activation activation,
                            const Tiles& tiles, const KernelTable& kernels);
// dx = dz = dy * activation'(y), and the first c doubles of `partial` become sum dz; dx may be absent, partial null.
void column_activation_gradient(const Matrix& dx, double* partial, const Matrix& dy, const Matrix& y,
                                Activation activation, const Tiles& tiles, const KernelTable& kernels);

// y = activation((x - mean) * scale + shift).
void column_normalize(const Matrix& y, const Matrix& x, const NormalizeColumns& by, Activation activation,
                      const Tiles& tiles, const KernelTable& kernels);

// The first c doubles of `partial` become sum dz, the next c sum dz * (x - mean), where dz = dy * activation'.
// `forward` holds the values that forward normalised by; ColumnKernels says which of them, and of y, are read.
void column_gradient_sums(double* partial, const Matrix& dy, const Matrix& x, const Matrix& y,
                          const NormalizeColumns& forward, Activation activation, const Tiles& tiles,
                          const KernelTable& kernels);

// dx = dz * dz_factor + (x - mean) * x_factor + constant.
void column_input_gradient(const Matrix& dx, const Matrix& dy, const Matrix& x, const Matrix& y,
                           const NormalizeColumns& forward, const InputGradientColumns& by, Activation activation,
                           const Tiles& tiles, const KernelTable& kernels);

// Adds the groups' partial sums, `width` doubles each, into the first group's, in order.
void add_groups(double* partial, int64_t width, const Tiles& tiles, const KernelTable& kernels);

}  // namespace bn::cpu
