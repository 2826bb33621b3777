#include "cpu/cpu_kernels.hpp"

#include <algorithm>
#include <map>
#include <mutex>

#include "cpu/columns.hpp"
#include "cpu/part_columns.hpp"

namespace bn::cpu {
namespace {

double* doubles(void* partial) { return static_cast<double*>(partial); }

// The columns of one part of y among all: kernels here take the parts one by one.
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

 private:
  template <class T>
  T* at(T* array) const {
    return array == nullptr ? nullptr : array + first;
  }
};

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

}  // namespace

const CpuKernels& cpu_kernels() {
  static std::mutex mutex;
  static std::map<const KernelTable*, CpuKernels> of_tables;
  const KernelTable& table = kernels();
  const std::lock_guard lock(mutex);
  return of_tables.try_emplace(&table, table).first->second;
}

int64_t CpuKernels::partial_bytes(int64_t m, int64_t c) const {
  return Tiles(m, c).partial_elements() * static_cast<int64_t>(sizeof(double));
}

void CpuKernels::zero(float* values, int64_t count) const { std::fill_n(values, count, 0.0F); }

void CpuKernels::batch_statistics(const BatchColumns& batch, void* partial, const ops::PartedMatrix& x,
                                  const AffineColumns& affine, const ops::PartColumns& parts) const {
  for_each_part(x, [&](size_t i, const Columns& columns) {
    statistics_of_part(columns.of(batch), partial, x.parts[i], columns.of(affine), parts);
  });
}

void CpuKernels::statistics_of_part(const BatchColumns& batch, void* partial, const Matrix& x,
                                    const AffineColumns& affine, const ops::PartColumns& parts) const {
  double* moments = doubles(partial);
  column_reduce(moments, x, Tiles(x.m, x.c), table_);
  const int64_t m = parts.exchange == nullptr ? x.m : merge_moments(moments, x.m, x.c, parts, table_);
  table_.statistics.prepare_batch(batch, moments, moments + x.c, affine, m, x.c);
}

void CpuKernels::population_scale(float* scale, const float* var, const AffineColumns& affine, int64_t c) const {
  table_.statistics.prepare_population(scale, var, affine, c);
}

void CpuKernels::normalize(const ops::PartedMatrix& y, const ops::PartedMatrix& x, const NormalizeColumns& by,
                           Activation activation) const {
  for_each_part(y, [&](size_t i, const Columns& columns) {
    column_normalize(y.parts[i], columns.of(x), columns.of(by), activation, Tiles(x.m(), columns.count), table_);
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

void CpuKernels::sums_of_part(const GradientColumns& gradient, void* partial, const Matrix& dy, const Matrix& x,
                              const Matrix& y, const BatchColumns& batch, const AffineColumns& affine,
                              Activation activation, const ops::PartColumns& parts) const {
  double* sums = doubles(partial);
  column_gradient_sums(sums, dy, x, read_of_output(y, activation), batch.normalization(), activation, Tiles(x.m, x.c),
                       table_);
  table_.statistics.prepare_gradient(gradient, sums, sums + x.c, batch, affine, x.m, x.c);
  if (parts.exchange == nullptr) return;
  // gamma's and beta's gradients are this part's; the input's depends on the sums of all.
  const int64_t m = add_sums(sums, x.m, x.c, parts, table_);
  auto* unused = reinterpret_cast<float*>(parts.scratch);
  ops::GradientColumns of_all = gradient;
  of_all.dgamma = unused;
  of_all.dbeta = unused + x.c;
  table_.statistics.prepare_gradient(of_all, sums, sums + x.c, batch, affine, m, x.c);
}

void CpuKernels::input_gradient(const ops::PartedMatrix& dx, const ops::PartedMatrix& dy, const ops::PartedMatrix& x,
                                const ops::PartedMatrix& y, const BatchColumns& batch, const GradientColumns& gradient,
                                Activation activation) const {
  for_each_part(dy, [&](size_t i, const Columns& columns) {
    const GradientColumns of_part = columns.of(gradient);
    const InputGradientColumns by{
        .dz_factor = of_part.dz_factor, .x_factor = of_part.x_factor, .constant = of_part.constant};
    column_input_gradient(columns.of(dx), dy.parts[i], columns.of(x), read_of_output(y.parts[i], activation),
                          columns.of(batch).normalization(), by, activation, Tiles(x.m(), columns.count), table_);
  });
}

void CpuKernels::bias_activation(const Matrix& y, const Matrix& x, const float* bias, Activation activation) const {
  column_bias_activation(y, x, bias, activation, Tiles(x.m, x.c), table_);
}

void CpuKernels::bias_activation_gradient(const Matrix& dx, float* dbias, void* partial, const Matrix& dy,
                                          const Matrix& y, Activation activation) const {
  const Matrix read = activation == Activation::kNone ? Matrix{} : y;
  double* sums = dbias == nullptr ? nullptr : doubles(partial);
  column_activation_gradient(dx, sums, dy, read, activation, Tiles(dy.m, dy.c), table_);
  if (dbias != nullptr) table_.statistics.to_float(dbias, sums, dy.c);
}

}  // namespace bn::cpu
