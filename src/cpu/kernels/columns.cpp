// Column kernels of batch normalisation, bias and activation over an [m, c] matrix (paper: Algorithm 1).
//
// The rule of every sum here: within kRowBlock rows it is kept in f32, across blocks in double. The sums of batch
// normalisation are kept in registers, a strip of columns after the other down all rows of a block. That reads memory
// out of order, which hides from the processor what comes next; so each strip asks for its part of the next block.
// (Sums kept in the first-level cache, the rows in order, take twice as long.)
#include "cpu/kernels/tables.hpp"
#include "cpu/kernels/vectors.hpp"

namespace bn::cpu::BN_CPU_ISA {
namespace {

constexpr int64_t kRowBlock = 64;
constexpr int64_t kWindowBytes = 512;         // short rows that bias_gradient_of_block takes together
constexpr int kStrip = kLanes == 16 ? 4 : 2;  // vectors: their sums and what each column is given fit into registers

template <class T>
BN_INLINE T* row_of(Rows rows, int64_t row) {
  return static_cast<T*>(rows.data) + row * rows.stride;
}

// dy * activation'(z), from y = activation(z).
template <Activation A, class T, class P>
BN_INLINE Float dz_of(const T* dy, const T* y, P part) {
  const Float gradient = load(dy, part);
  if constexpr (A == Activation::kRelu) return load(y, part) > 0.0F ? gradient : Float{};
  if constexpr (A == Activation::kSigmoid) {
    const Float value = load(y, part);
    return gradient * (value * (1.0F - value));
  }
  return gradient;
}

template <int R, class Body>
BN_INLINE void for_groups_of_rows(int64_t rows, Body body) {
  int64_t row = 0;
  for (; row + R <= rows; row += R) body.template operator()<R>(row);
  for (; row < rows; ++row) body.template operator()<1>(row);
}

// body.template operator()<R>(row) covers R rows from `row`.
template <class Body>
BN_INLINE void for_rows(int64_t rows, int64_t row_bytes, Body body) {
  if (4 * row_bytes <= kWindowBytes) return for_groups_of_rows<4>(rows, body);
  if (2 * row_bytes <= kWindowBytes) return for_groups_of_rows<2>(rows, body);
  for_groups_of_rows<1>(rows, body);
}

// body.template operator()<V>(first column, part) covers V vectors: whole ones, or one that is a Part.
template <class Body>
BN_INLINE void for_strips(int64_t columns, Body body) {
  int64_t j = 0;
  for (; j + kStrip * kLanes <= columns; j += kStrip * kLanes) body.template operator()<kStrip>(j, Whole{});
  const int64_t rest = (columns - j) / kLanes;
  if constexpr (kStrip == 4) {
    if (rest == 3) body.template operator()<3>(j, Whole{});
    if (rest == 2) body.template operator()<2>(j, Whole{});
  }
  if (rest == 1) body.template operator()<1>(j, Whole{});
  j += rest * kLanes;
  if (j < columns) body.template operator()<1>(j, Part{columns - j});
}

// Asks for V vectors of the row kRowBlock below, to be found in the second-level cache.
template <int V, class T>
BN_INLINE void prefetch_next_block(const T* row, int64_t stride) {
  constexpr int kPerLine = 64 / static_cast<int>(sizeof(T)) / kLanes;
  for (int v = 0; v < V; v += kPerLine) __builtin_prefetch(row + kRowBlock * stride + v * kLanes, 0, 2);
}

struct alignas(64) PartialSums {
  float values[kColumnBlock];
};

void clear(PartialSums& sums, int64_t columns) {
  for_columns(columns, [&](int64_t j, auto part) { store(sums.values + j, Float{}, part); });
}

// --- forward ---------------------------------------------------------------------------------------------------------

// sum = sum of (x - shift), square = sum of (x - shift)^2, where shift is the first row: of the columns' own size, so
// that the squares lose no digits however far the mean is from zero.
template <class T>
void shifted_sums(PartialSums& sum, PartialSums& square, PartialSums& shift, Rows x, int64_t rows, int64_t columns) {
  for_strips(columns, [&]<int V>(int64_t j, auto part) {
    const T* row = row_of<T>(x, 0) + j;
    Float origin[V], s[V], q[V];
    for (int v = 0; v < V; ++v) {
      origin[v] = load(row + v * kLanes, part);
      s[v] = q[v] = Float{};
    }
    for (int64_t i = 0; i < rows; ++i, row += x.stride) {
      prefetch_next_block<V>(row, x.stride);
      for (int v = 0; v < V; ++v) {
        const Float deviation = load(row + v * kLanes, part) - origin[v];
        s[v] += deviation;
        q[v] += deviation * deviation;
      }
    }
    for (int v = 0; v < V; ++v) {
      store(sum.values + j + v * kLanes, s[v], part);
      store(square.values + j + v * kLanes, q[v], part);
      store(shift.values + j + v * kLanes, origin[v], part);
    }
  });
}

template <class T>
void moments(double* mean, double* m2, Rows x, int64_t rows, int64_t columns) {
  PartialSums sum, square, shift;
  alignas(64) double block_mean[kColumnBlock], block_m2[kColumnBlock];
  for (int64_t j = 0; j < columns; ++j) mean[j] = m2[j] = 0;
  for (int64_t first = 0; first < rows; first += kRowBlock) {
    const int64_t count = rows - first < kRowBlock ? rows - first : kRowBlock;
    shifted_sums<T>(sum, square, shift, {row_of<T>(x, first), x.stride}, count, columns);
    const double inverse = 1.0 / static_cast<double>(count);
    for (int64_t j = 0; j < columns; ++j) {
      const double s = sum.values[j];
      block_mean[j] = static_cast<double>(shift.values[j]) + s * inverse;
      block_m2[j] = static_cast<double>(square.values[j]) - s * s * inverse;
    }
    kStatistics.merge_moments(mean, m2, first, block_mean, block_m2, count, columns);
  }
  // Rounding in the shifted squares can leave a constant column just below zero.
  for (int64_t j = 0; j < columns; ++j) m2[j] = m2[j] < 0 ? 0 : m2[j];
}

template <class T>
void normalize(Rows y, Rows x, const NormalizeColumns& by, int64_t rows, int64_t columns, Activation activation) {
  const float *mean = by.mean, *scale = by.scale, *shift = by.shift;  // here, or they are read again after every store
  with_activation(activation, [&]<Activation A>() {
    for (int64_t row = 0; row < rows; ++row) {
      const T* from = row_of<T>(x, row);
      T* to = row_of<T>(y, row);
      for_columns(columns, [&](int64_t j, auto part) {
        const Float deviation = load(from + j, part) - load(mean + j, part);
        store(to + j, activate<A>(deviation * load(scale + j, part) + load(shift + j, part)), part);
      });
    }
  });
}

template <class T>
void bias_activation(Rows y, Rows x, const float* bias, int64_t rows, int64_t columns, Activation activation) {
  with_activation(activation, [&]<Activation A>() {
    for (int64_t row = 0; row < rows; ++row) {
      const T* from = row_of<T>(x, row);
      T* to = row_of<T>(y, row);
      for_columns(columns, [&](int64_t j, auto part) {
        const Float z = bias == nullptr ? load(from + j, part) : load(from + j, part) + load(bias + j, part);
        store(to + j, activate<A>(z), part);
      });
    }
  });
}

// --- backward --------------------------------------------------------------------------------------------------------

void flush(double* __restrict to, const PartialSums& sums, int64_t columns) {
  for (int64_t j = 0; j < columns; ++j) to[j] += static_cast<double>(sums.values[j]);
}

// Everything that the gradients read, in one place: dz = dy * activation'(z). ReLU's derivative comes from z, which
// costs less to compute again than y to read.
template <class T, Activation A>
struct GradientRows {
  static constexpr bool kReadsY = A == Activation::kSigmoid;

  const T *dy, *x, *y;
  int64_t dy_stride, x_stride, y_stride;

  GradientRows(Rows dy_rows, Rows x_rows, Rows y_rows, int64_t column)
      : dy(row_of<T>(dy_rows, 0) + column),
        x(row_of<T>(x_rows, 0) + column),
        y(kReadsY ? row_of<T>(y_rows, 0) + column : nullptr),
        dy_stride(dy_rows.stride),
        x_stride(x_rows.stride),
        y_stride(y_rows.stride) {}

  BN_INLINE void next_row() {
    dy += dy_stride;
    x += x_stride;
    if constexpr (kReadsY) y += y_stride;
  }
  template <int V>
  BN_INLINE void prefetch() const {
    prefetch_next_block<V>(dy, dy_stride);
    prefetch_next_block<V>(x, x_stride);
    if constexpr (kReadsY) prefetch_next_block<V>(y, y_stride);
  }
  template <class P>
  BN_INLINE Float dz(int64_t j, Float deviation, Float scale, Float shift, P part) const {
    Float gradient = load(dy + j, part);
    asm("" : "+v"(gradient));  // or it is loaded under the mask that the next line compares for, and waits for x
    if constexpr (A == Activation::kRelu) return deviation * scale + shift > 0.0F ? gradient : Float{};
    if constexpr (A == Activation::kSigmoid) {
      const Float value = load(y + j, part);
      return gradient * (value * (1.0F - value));
    }
    return gradient;
  }
};

template <class T, Activation A>
void gradient_sums_of_block(PartialSums& sum_dz, PartialSums& sum_dz_x, Rows dy, Rows x, Rows y,
                            const NormalizeColumns& by, int64_t rows, int64_t columns) {
  for_strips(columns, [&]<int V>(int64_t j, auto part) {
    GradientRows<T, A> row(dy, x, y, j);
    Float mean[V], scale[V] = {}, shift[V] = {}, s[V], q[V];
    for (int v = 0; v < V; ++v) {
      mean[v] = load(by.mean + j + v * kLanes, part);
      if constexpr (A == Activation::kRelu) {
        scale[v] = load(by.scale + j + v * kLanes, part);
        shift[v] = load(by.shift + j + v * kLanes, part);
      }
      s[v] = q[v] = Float{};
    }
    for (int64_t i = 0; i < rows; ++i, row.next_row()) {
      row.template prefetch<V>();
      for (int v = 0; v < V; ++v) {
        const Float deviation = load(row.x + v * kLanes, part) - mean[v];
        const Float dz = row.dz(v * kLanes, deviation, scale[v], shift[v], part);
        s[v] += dz;
        q[v] += dz * deviation;
      }
    }
    for (int v = 0; v < V; ++v) {
      store(sum_dz.values + j + v * kLanes, s[v], part);
      store(sum_dz_x.values + j + v * kLanes, q[v], part);
    }
  });
}

BN_INLINE Rows from_row(Rows rows, int64_t row, int64_t element_size) {
  return rows.data == nullptr ? rows
                              : Rows{static_cast<uint8_t*>(rows.data) + row * rows.stride * element_size, rows.stride};
}

template <class T>
void gradient_sums(double* sum_dz, double* sum_dz_x, Rows dy, Rows x, Rows y, const NormalizeColumns& by, int64_t rows,
                   int64_t columns, Activation activation) {
  PartialSums block_dz, block_dz_x;
  for (int64_t j = 0; j < columns; ++j) sum_dz[j] = sum_dz_x[j] = 0;
  for (int64_t first = 0; first < rows; first += kRowBlock) {
    const int64_t count = rows - first < kRowBlock ? rows - first : kRowBlock;
    with_activation(activation, [&]<Activation A>() {
      gradient_sums_of_block<T, A>(block_dz, block_dz_x, from_row(dy, first, sizeof(T)), from_row(x, first, sizeof(T)),
                                   from_row(y, first, sizeof(T)), by, count, columns);
    });
    flush(sum_dz, block_dz, columns);
    flush(sum_dz_x, block_dz_x, columns);
  }
}

template <class T>
void input_gradient(Rows dx, Rows dy, Rows x, Rows y, const NormalizeColumns& forward, const GradientColumns& by,
                    int64_t rows, int64_t columns, Activation activation) {
  // Copied here, or they would be read again after every store.
  const float *mean = forward.mean, *scale = forward.scale, *shift = forward.shift;
  const float *dz_factor = by.dz_factor, *x_factor = by.x_factor, *constant = by.constant;
  with_activation(activation, [&]<Activation A>() {
    GradientRows<T, A> row(dy, x, y, 0);
    for (int64_t i = 0; i < rows; ++i, row.next_row()) {
      T* dx_row = row_of<T>(dx, i);
      for_columns(columns, [&](int64_t j, auto part) {
        const Float deviation = load(row.x + j, part) - load(mean + j, part);
        Float z_scale = {}, z_shift = {};
        if constexpr (A == Activation::kRelu) {
          z_scale = load(scale + j, part);
          z_shift = load(shift + j, part);
        }
        const Float dz = row.dz(j, deviation, z_scale, z_shift, part);
        const Float rest = deviation * load(x_factor + j, part) + load(constant + j, part);
        store(dx_row + j, dz * load(dz_factor + j, part) + rest, part);
      });
    }
  });
}

template <class T, Activation A>
void bias_gradient_of_block(Rows dx, PartialSums& sum_dz, Rows dy, Rows y, int64_t rows, int64_t columns) {
  for_rows(rows, dy.stride * sizeof(T), [&]<int R>(int64_t row) {
    const T* dy_row = row_of<T>(dy, row);
    const T* y_row = A == Activation::kNone ? dy_row : row_of<T>(y, row);  // kNone: unread
    T* dx_row = dx.data == nullptr ? nullptr : row_of<T>(dx, row);
    for_columns(columns, [&](int64_t j, auto part) {
      Float s = load(sum_dz.values + j, part);
      for (int r = 0; r < R; ++r) {
        const Float dz = dz_of<A>(dy_row + r * dy.stride + j, y_row + r * y.stride + j, part);
        s += dz;
        if (dx_row != nullptr) store(dx_row + r * dx.stride + j, dz, part);
      }
      store(sum_dz.values + j, s, part);
    });
  });
}

template <class T>
void bias_activation_gradient(Rows dx, double* sum_dz, Rows dy, Rows y, int64_t rows, int64_t columns,
                              Activation activation) {
  PartialSums block;
  for (int64_t j = 0; sum_dz != nullptr && j < columns; ++j) sum_dz[j] = 0;
  for (int64_t first = 0; first < rows; first += kRowBlock) {
    const int64_t count = rows - first < kRowBlock ? rows - first : kRowBlock;
    clear(block, columns);
    with_activation(activation, [&]<Activation A>() {
      bias_gradient_of_block<T, A>(from_row(dx, first, sizeof(T)), block, from_row(dy, first, sizeof(T)),
                                   from_row(y, first, sizeof(T)), count, columns);
    });
    if (sum_dz != nullptr) flush(sum_dz, block, columns);
  }
}

template <class T>
void sum(Rows destination, const Rows* sources, int64_t count, int64_t rows, int64_t columns) {
  for (int64_t row = 0; row < rows; ++row) {
    T* to = row_of<T>(destination, row);
    for_columns(columns, [&](int64_t j, auto part) {
      Float total = load(row_of<T>(sources[0], row) + j, part);
      for (int64_t k = 1; k < count; ++k) total += load(row_of<T>(sources[k], row) + j, part);
      store(to + j, total, part);
    });
  }
}

template <class T>
constexpr ColumnKernels table() {
  return {.moments = moments<T>,
          .normalize = normalize<T>,
          .gradient_sums = gradient_sums<T>,
          .input_gradient = input_gradient<T>,
          .bias_activation = bias_activation<T>,
          .bias_activation_gradient = bias_activation_gradient<T>,
          .sum = sum<T>};
}

}  // namespace

extern constinit const ColumnKernels kColumnsF32 = table<float>();
extern constinit const ColumnKernels kColumnsBf16 = table<Bf16>();

}  // namespace bn::cpu::BN_CPU_ISA
