#include "cpu/cpu_kernels.hpp"

#include <algorithm>
#include <map>
#include <mutex>

#include "cpu/tiles.hpp"

namespace bn::cpu {
namespace {

using ops::Matrix;

double* doubles(void* partial) { return static_cast<double*>(partial); }

// A range of columns: those of one part of y among all, since kernels here take the parts one by one, or a tile's.
struct Columns {
  int64_t first = 0, count = 0;

  // These columns lie in one of its parts.
  Matrix of(const ops::PartedMatrix& all) const {
    int64_t before = 0;
    size_t part = 0;
    while (before + all.parts[part].c <= first) before += all.parts[part++].c;
    Matrix some = all.parts[part];
    some.data = static_cast<char*>(some.data) + (first - before) * size_of(some.dtype);
    some.c = count;
    return some;
  }
  NormalizeColumns of(const NormalizeColumns& all) const { return {at(all.mean), at(all.scale), at(all.shift)}; }
  BatchColumns of(const BatchColumns& all) const {
    return {at(all.mean), at(all.mean_low), at(all.var), at(all.scale), at(all.shift)};
  }
  AffineColumns of(const AffineColumns& all) const { return {at(all.gamma), at(all.beta), all.eps}; }
  GradientColumns of(const GradientColumns& all) const {
    return {at(all.dgamma), at(all.dbeta), at(all.dz_factor), at(all.x_factor), at(all.constant)};
  }
  template <class T>
  T* at(T* array) const {
    return array == nullptr ? nullptr : array + first;
  }
};

Columns columns_of(const Tile& tile) { return {tile.column, tile.columns}; }

// Calls f(part's number, its columns).
template <class F>
void for_each_part(const ops::PartedMatrix& parted, const F& f) {
  Columns columns;
  for (size_t i = 0; i < static_cast<size_t>(parted.count); ++i) {
    columns.count = parted.parts[i].c;
    f(i, columns);
    columns.first += columns.count;
  }
}

// Our gradients read y for a sigmoid alone: ReLU's derivative is computed again from x.
Matrix read_of_output(const Matrix& y, Activation activation) {
  return activation == Activation::kSigmoid ? y : Matrix{};
}

constexpr int64_t kMergeColumns = 128;

// The first c doubles of `partial` become the mean of each column, the next c the sum of its squared deviations.
void column_moments(double* partial, const Matrix& x, const KernelTable& kernels) {
  const int64_t c = x.c;
  const Tiles tiles(x.m, c);
  tiles.for_each([&](const Tile& tile) {
    double* mean = partial + 2 * tile.group * c + tile.column;
    kernels.columns(x.dtype).moments(mean, mean + c, tile.of(x), tile.rows, tile.columns);
  });
  in_spans(c, kMergeColumns, x.m * c, [&](int64_t first, int64_t columns) {
    int64_t count = tiles.rows_of_group(0);
    for (int64_t group = 1; group < tiles.groups(); ++group) {
      const double* other = partial + 2 * group * c + first;
      const int64_t rows = tiles.rows_of_group(group);
      kernels.statistics.merge_moments(partial + first, partial + c + first, count, other, other + c, rows, columns);
      count += rows;
    }
  });
}

// Adds the groups' partial sums, `width` doubles each, into the first group's, in order.
void add_groups(double* partial, int64_t width, const Tiles& tiles, const KernelTable& kernels) {
  in_spans(width, kMergeColumns, width * tiles.groups(), [&](int64_t first, int64_t columns) {
    for (int64_t group = 1; group < tiles.groups(); ++group) {
      kernels.statistics.add(partial + first, partial + group * width + first, columns);
    }
  });
}

}  // namespace

const CpuKernels& cpu_kernels() {
  static std::mutex mutex;
  static std::map<const KernelTable*, CpuKernels> of_tables;
  const KernelTable& table = kernels();
  const std::lock_guard lock(mutex);
  return of_tables.try_emplace(&table, table).first->second;
}

int64_t CpuKernels::partial_bytes(int64_t m, int64_t c) const {
  return 2 * Tiles(m, c).groups() * c * static_cast<int64_t>(sizeof(double));
}

void CpuKernels::zero(float* values, int64_t count) const { std::fill_n(values, count, 0.0F); }

void CpuKernels::batch_statistics(const BatchColumns& batch, void* partial, const ops::PartedMatrix& x,
                                  const AffineColumns& affine, const ops::PartColumns& parts) const {
  for_each_part(x, [&](size_t i, const Columns& columns) {
    const Matrix& part = x.parts[i];
    double* moments = doubles(partial);
    column_moments(moments, part, table_);
    const int64_t m = parts.exchange == nullptr ? part.m : merge_moments(moments, part.m, part.c, parts, table_);
    table_.statistics.prepare_batch(columns.of(batch), moments, moments + part.c, columns.of(affine), m, part.c);
  });
}

void CpuKernels::population_scale(float* scale, const float* var, const AffineColumns& affine, int64_t c) const {
  table_.statistics.prepare_population(scale, var, affine, c);
}

void CpuKernels::normalize(const ops::PartedMatrix& y, const ops::PartedMatrix& x, const NormalizeColumns& by,
                           Activation activation) const {
  for_each_part(y, [&](size_t i, const Columns& columns) {
    const Matrix from = columns.of(x);
    const NormalizeColumns of_part = columns.of(by);
    const ColumnKernels& kernels = table_.columns(from.dtype);
    Tiles(from.m, from.c).for_each_backwards([&](const Tile& tile) {
      kernels.normalize(tile.of(y.parts[i]), tile.of(from), columns_of(tile).of(of_part), tile.rows, tile.columns,
                        activation);
    });
  });
}

void CpuKernels::gradient_sums(const GradientColumns& gradient, void* partial, const ops::PartedMatrix& dy,
                               const ops::PartedMatrix& x, const ops::PartedMatrix& y, const BatchColumns& batch,
                               const AffineColumns& affine, Activation activation,
                               const ops::PartColumns& parts) const {
  for_each_part(dy, [&](size_t i, const Columns& columns) {
    sums_of_part(columns.of(gradient), partial, dy.parts[i], columns.of(x), y.parts[i], columns.of(batch),
                 columns.of(affine), activation, parts);
  });
}

// The first c doubles of `partial` become sum dz, the next c sum dz * (x - mean), where dz = dy * activation'.
void CpuKernels::sums_of_part(const GradientColumns& gradient, void* partial, const Matrix& dy, const Matrix& x,
                              const Matrix& y, const BatchColumns& batch, const AffineColumns& affine,
                              Activation activation, const ops::PartColumns& parts) const {
  double* sums = doubles(partial);
  const Tiles tiles(x.m, x.c);
  const Matrix output = read_of_output(y, activation);
  tiles.for_each([&](const Tile& tile) {
    double* sum_dz = sums + 2 * tile.group * x.c + tile.column;
    table_.columns(x.dtype).gradient_sums(sum_dz, sum_dz + x.c, tile.of(dy), tile.of(x), tile.of(output),
                                          columns_of(tile).of(batch.normalization()), tile.rows, tile.columns,
                                          activation);
  });
  add_groups(sums, 2 * x.c, tiles, table_);
  table_.statistics.prepare_gradient(gradient, sums, sums + x.c, batch, affine, x.m, x.c);
  if (parts.exchange == nullptr) return;
  // gamma's and beta's gradients are this part's; the input's depends on the sums of all.
  const int64_t m = add_sums(sums, x.m, x.c, parts, table_);
  auto* unused = reinterpret_cast<float*>(parts.scratch);
  GradientColumns of_all = gradient;
  of_all.dgamma = unused;
  of_all.dbeta = unused + x.c;
  table_.statistics.prepare_gradient(of_all, sums, sums + x.c, batch, affine, m, x.c);
}

void CpuKernels::input_gradient(const ops::PartedMatrix& dx, const ops::PartedMatrix& dy, const ops::PartedMatrix& x,
                                const ops::PartedMatrix& y, const BatchColumns& batch, const GradientColumns& gradient,
                                Activation activation) const {
  for_each_part(dy, [&](size_t i, const Columns& columns) {
    const Matrix input = columns.of(x), to = columns.of(dx), output = read_of_output(y.parts[i], activation);
    const NormalizeColumns forward = columns.of(batch.normalization());
    const GradientColumns by = columns.of(gradient);
    const ColumnKernels& kernels = table_.columns(input.dtype);
    Tiles(input.m, input.c).for_each_backwards([&](const Tile& tile) {
      kernels.input_gradient(tile.of(to), tile.of(dy.parts[i]), tile.of(input), tile.of(output),
                             columns_of(tile).of(forward), columns_of(tile).of(by), tile.rows, tile.columns,
                             activation);
    });
  });
}

void CpuKernels::bias_activation(const Matrix& y, const Matrix& x, const float* bias, Activation activation) const {
  Tiles(x.m, x.c).for_each([&](const Tile& tile) {
    table_.columns(x.dtype).bias_activation(tile.of(y), tile.of(x), columns_of(tile).at(bias), tile.rows, tile.columns,
                                            activation);
  });
}

void CpuKernels::bias_activation_gradient(const Matrix& dx, float* dbias, void* partial, const Matrix& dy,
                                          const Matrix& y, Activation activation) const {
  const Tiles tiles(dy.m, dy.c);
  const Matrix output = activation == Activation::kNone ? Matrix{} : y;
  tiles.for_each([&](const Tile& tile) {
    double* sum = dbias == nullptr ? nullptr : doubles(partial) + tile.group * dy.c + tile.column;
    table_.columns(dy.dtype).bias_activation_gradient(tile.of(dx), sum, tile.of(dy), tile.of(output), tile.rows,
                                                      tile.columns, activation);
  });
  if (dbias == nullptr) return;
  add_groups(doubles(partial), dy.c, tiles, table_);
  table_.statistics.to_float(dbias, doubles(partial), dy.c);
}

}  // namespace bn::cpu
