// Elementwise along columns: y = activation((x - mean) * scale + shift) (paper: Algorithm 1, steps 3-4), with or
// without the mean and the scale, and sums of matrices.
//
// Bytes per element: x read once, y written once. Each element is one thread's alone.
#include "cuda/kernels/cover.hpp"
#include "cuda/updates.hpp"

namespace bn::cuda {
namespace {

constexpr int kBlocksPerMultiprocessor = 8;

enum class Affine { kNone, kShift, kFull };

template <class T, int N, Activation A, Affine F>
__device__ __forceinline__ void map_packet(T* y, const Packet<T, N>& packet, const float (&mean)[N],
                                           const float (&scale)[N], const float (&shift)[N]) {
  float v[N];
  to_floats(v, packet);
#pragma unroll
  for (int k = 0; k < N; ++k) {
    if constexpr (F == Affine::kFull) v[k] = fmaf(v[k] - mean[k], scale[k], shift[k]);
    if constexpr (F == Affine::kShift) v[k] += shift[k];
    v[k] = activate<A>(v[k]);
  }
  store(y, v);
}

template <class T, int N, Activation A, Affine F>
__global__ void __launch_bounds__(kThreads)
    map(ColumnParts<T> y_parts, ColumnParts<const T> x_parts, NormalizeColumns by, int m, int64_t c, int tile) {
  const Place place(tile, N, m, static_cast<int>(gridDim.y - 1 - blockIdx.y));
  if (place.column >= c) return;
  const Rows<T> y(y_parts, place.column);
  const Rows<const T> x(x_parts, place.column);
  float mean[N] = {}, scale[N] = {}, shift[N] = {};
  if constexpr (F == Affine::kFull) {
    load_columns<N>(mean, by.mean + place.column);
    load_columns<N>(scale, by.scale + place.column);
  }
  if constexpr (F != Affine::kNone) load_columns<N>(shift, by.shift + place.column);
  int row = place.row;
  for (; row + 3 * place.step < place.end; row += 4 * place.step) {
    Packet<T, N> packets[4];
#pragma unroll
    for (int r = 0; r < 4; ++r) {
      packets[r] = load_packet<T, N>(x[row + r * place.step]);
    }
#pragma unroll
    for (int r = 0; r < 4; ++r) {
      map_packet<T, N, A, F>(y[row + r * place.step], packets[r], mean, scale, shift);
    }
  }
  for (; row < place.end; row += place.step) {
    const Packet<T, N> packet = load_packet<T, N>(x[row]);
    map_packet<T, N, A, F>(y[row], packet, mean, scale, shift);
  }
}

template <class T, int N>
__global__ void __launch_bounds__(kThreads)
    sum_rows(T* dst, SumSources sources, int m, int64_t c, int64_t stride, int tile) {
  const Place place(tile, N, m, static_cast<int>(blockIdx.y));
  if (place.column >= c) return;
  for (int row = place.row; row < place.end; row += place.step) {
    float total[N] = {};
    for (int i = 0; i < sources.count; ++i) {
      float term[N];
      load<T, N>(term, static_cast<const T*>(sources.data[i]) + row * sources.stride[i] + place.column);
#pragma unroll
      for (int k = 0; k < N; ++k) total[k] += term[k];
    }
    store(dst + row * stride + place.column, total);
  }
}

}  // namespace

// Rows are taken last to first: the end of x may still be in the cache. Without mean and scale they are 0 and 1, and
// without a shift it is 0.
void CudaKernels::normalize(const PartedMatrix& y, const PartedMatrix& x, const NormalizeColumns& by,
                            Activation activation) const {
  const Cover cover = bn::cuda::cover(context_, x, {x, y}, kBlocksPerMultiprocessor);
  dispatch(x.parts[0].dtype, cover.lanes, activation, [&]<class T, int N, Activation A>() {
    const auto run = [&](auto kernel) {
      launch(context_, "map", kernel, grid_of(cover), parts_of<T>(y), parts_of<const T>(x), by, x.m(), x.c(),
             cover.tile);
    };
    if (by.mean != nullptr) return run(map<T, N, A, Affine::kFull>);
    if (by.shift != nullptr) return run(map<T, N, A, Affine::kShift>);
    run(map<T, N, A, Affine::kNone>);
  });
}

void CudaKernels::bias_activation(const Matrix& y, const Matrix& x, const float* bias, Activation activation) const {
  normalize(y, x, {.shift = bias}, activation);
}

SumSources sources_of(const std::vector<Tensor>& tensors) {
  SumSources sources{};
  sources.count = static_cast<int>(tensors.size());
  for (size_t i = 0; i < tensors.size(); ++i) {
    sources.data[i] = tensors[i].data;
    sources.stride[i] = tensors[i].row_stride;
  }
  return sources;
}

void sum(const Context& context, const Tensor& dst, const std::vector<Tensor>& srcs) {
  require_sum_terms(srcs.size());
  const Matrix to = matrix_of(dst);
  Matrices matrices{to};
  for (const Tensor& source : srcs) matrices.add(matrix_of(source));
  const Cover cover = bn::cuda::cover(context, to, matrices, kBlocksPerMultiprocessor);
  dispatch(to.dtype, cover.lanes, [&]<class T, int N>() {
    launch(context, "sum_rows", sum_rows<T, N>, grid_of(cover), dst.as<T>(), sources_of(srcs), to.m, to.c, to.stride,
           cover.tile);
  });
}

}  // namespace bn::cuda
