// How threads cover an [m, c] matrix whose rows lie `stride` elements apart. Column arrays are f32.
//
// In every kernel on columns one thread owns 16 bytes of neighbouring columns (or one column, where rows are not made
// of whole 16 bytes) and walks down rows, several loads in flight. Every sum is taken in an order that the shape alone
// decides: rows within a thread, threads by a fixed tree, blocks by the last of them.
#pragma once

#include <array>
#include <initializer_list>
#include <span>

#include "core/op_checks.hpp"
#include "cuda/cuda_kernels.hpp"
#include "cuda/kernels/device.hpp"

namespace bn::cuda {

// Blocks of `tile` accesses of columns by a range of rows.
struct Cover {
  Lanes lanes = Lanes::kOne;
  int tile = 32;                   // threads side by side in a block
  unsigned columns = 1, rows = 1;  // blocks
};

constexpr int kRowsInFlight = 4;  // loads in one thread that do not wait for each other
// Where columns are summed: as many blocks as run at one time, and so few columns in each that one of them can then add
// the partial sums of all quickly.
constexpr int kSumBlocksPerMultiprocessor = 2, kMaxSumColumns = 64;
inline int64_t sum_blocks_of(const Context& context) {
  return int64_t{context.multiprocessors} * kSumBlocksPerMultiprocessor;
}

// All the matrices that one kernel walks.
class Matrices {
 public:
  Matrices(std::initializer_list<PartedMatrix> list) {
    for (const PartedMatrix& matrix : list) add(matrix);
  }
  void add(const PartedMatrix& matrix) {
    for (int i = 0; i < matrix.count; ++i)
      all_.at(static_cast<size_t>(count_++)) = matrix.parts[static_cast<size_t>(i)];
  }
  std::span<const Matrix> all() const { return {all_.data(), static_cast<size_t>(count_)}; }

 private:
  std::array<Matrix, 3 * ops::kMaxColumnParts + kMaxSumTerms> all_;
  int count_ = 0;
};

// `shape`: one of the matrices. blocks_per_multiprocessor: how many are wanted at most. max_columns: of a block.
Cover cover(const Context& context, const PartedMatrix& shape, const Matrices& matrices, int blocks_per_multiprocessor,
            int64_t max_columns = 256);
// Where columns are summed. A kernel then has at most as many tickets as sum_blocks_of() (see last_block.hpp).
Cover cover_of_sums(const Context& context, const PartedMatrix& shape, const Matrices& matrices);

// Tensors that a kernel adds up.
struct SumSources {
  const void* data[kMaxSumTerms];
  int64_t stride[kMaxSumTerms];  // between rows
  int count;
};
SumSources sources_of(const std::vector<Tensor>& tensors);

// Where a part sends its number of rows, and two values for each of c columns; null where it is alone.
inline double* sent_by(const PartColumns& parts, int64_t c) {
  return parts.exchange == nullptr ? nullptr : parts.scratch + parts.parts * (2 * c + 1);
}
// Afterwards the scratch begins with what all parts have sent.
inline void gather(const PartColumns& parts, int64_t c) {
  const auto length = static_cast<size_t>(2 * c + 1);
  parts.exchange->gather({sent_by(parts, c), length}, {parts.scratch, static_cast<size_t>(parts.parts) * length});
}

// Where a parted matrix's columns lie, for a kernel. Parts begin where a thread's columns do.
template <class T>
struct ColumnParts {
  T* data[ops::kMaxColumnParts];
  int64_t stride[ops::kMaxColumnParts];
  int64_t first[ops::kMaxColumnParts];  // column
  int count;
};
template <class T>
ColumnParts<T> parts_of(const PartedMatrix& parted) {
  ColumnParts<T> parts{};
  parts.count = parted.count;
  int64_t first = 0;
  for (int i = 0; i < parted.count; ++i) {
    const Matrix& part = parted.parts[static_cast<size_t>(i)];
    parts.data[i] = static_cast<T*>(part.data);
    parts.stride[i] = part.stride;
    parts.first[i] = first;
    first += part.c;
  }
  return parts;
}

// The rows of one column and its neighbours.
template <class T>
struct Rows {
  T* column;
  int64_t stride;

  // The parts have constant indices: no copy of them in local memory.
  __device__ Rows(const ColumnParts<T>& parts, int64_t at) : column(parts.data[0] + at), stride(parts.stride[0]) {
#pragma unroll
    for (int i = 1; i < ops::kMaxColumnParts; ++i) {
      if (i >= parts.count || at < parts.first[i]) continue;
      column = parts.data[i] + (at - parts.first[i]);
      stride = parts.stride[i];
    }
  }
  __device__ T* operator[](int row) const { return column + row * stride; }
};

inline Grid grid_of(const Cover& cover) { return {.x = cover.columns, .y = cover.rows, .threads = kThreads}; }

// One thread's place: its first column, and its rows.
struct Place {
  int64_t column;
  int row, end, step;  // rows row, row + step, ... < end
  int lane, line;      // within the block: which access of columns, which row

  // Block `block_row` of gridDim.y takes an equal, contiguous range of rows.
  __device__ Place(int tile, int lanes, int m, int block_row) {
    lane = static_cast<int>(threadIdx.x) % tile;
    line = static_cast<int>(threadIdx.x) / tile;
    step = kThreads / tile;
    column = (static_cast<int64_t>(blockIdx.x) * tile + lane) * lanes;
    const int blocks = static_cast<int>(gridDim.y);
    const int share = (m + blocks - 1) / blocks;
    const int begin = block_row * share;
    row = begin + line;
    end = begin + share < m ? begin + share : m;
  }
};

__device__ __forceinline__ float sigmoid(float z) { return 1.0F / (1.0F + expf(-z)); }

template <Activation A>
__device__ __forceinline__ float activate(float z) {
  if constexpr (A == Activation::kRelu) return z < 0.0F ? 0.0F : z;  // NaN stays
  if constexpr (A == Activation::kSigmoid) return sigmoid(z);
  return z;
}

// dy * activation'(z).
template <Activation A>
__device__ __forceinline__ float gradient_at_input(float dy, float z) {
  if constexpr (A == Activation::kRelu) return z > 0.0F ? dy : 0.0F;
  if constexpr (A == Activation::kSigmoid) {
    const float y = sigmoid(z);
    return dy * (y * (1.0F - y));
  }
  return dy;
}

// The same, from the output y = activation(z).
template <Activation A>
__device__ __forceinline__ float gradient_at_output(float dy, float y) {
  if constexpr (A == Activation::kRelu) return y > 0.0F ? dy : 0.0F;
  if constexpr (A == Activation::kSigmoid) return dy * (y * (1.0F - y));
  return dy;
}

// Calls f.template operator()<element type, lanes, activation>().
template <class F>
void dispatch(DType dtype, Lanes lanes, Activation activation, const F& f) {
  dispatch(dtype, lanes, [&]<class T, int N>() {
    switch (activation) {
      case Activation::kNone:
        return f.template operator()<T, N, Activation::kNone>();
      case Activation::kRelu:
        return f.template operator()<T, N, Activation::kRelu>();
      case Activation::kSigmoid:
        return f.template operator()<T, N, Activation::kSigmoid>();
    }
  });
}

}  // namespace bn::cuda
