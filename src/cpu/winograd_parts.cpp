#include "cpu/winograd_parts.hpp"

#include <omp.h>

#include "cpu/parallel.hpp"

namespace bn::cpu {
namespace {

constexpr int64_t kF32PerLine = 16;

// What oneDNN prepares meanwhile is for one thread.
class OneThread {
 public:
  OneThread() { omp_set_num_threads(1); }
  ~OneThread() { omp_set_num_threads(threads_); }
  OneThread(const OneThread&) = delete;
  OneThread& operator=(const OneThread&) = delete;

 private:
  int threads_ = omp_get_max_threads();
};

dnnl::memory::desc f32(const dnnl::memory::dims& shape, const dnnl::memory::dims& strides) {
  return {shape, data_type(DType::kF32), strides};
}

}  // namespace

TileGrid::TileGrid(const Shape& shape)
    : images_(shape.n), rows_(divide_up(shape.h, kWinogradTile)), columns_(divide_up(shape.w, kWinogradTile)) {}

TileGrid::Place TileGrid::place(int64_t tile) const {
  const int64_t in_image = tile % (rows_ * columns_);
  return {.image = tile / (rows_ * columns_),
          .row = in_image / columns_ * kWinogradTile,
          .column = in_image % columns_ * kWinogradTile};
}

int64_t PlaneMatrices::stride() const { return (divide_up(rows * columns, kF32PerLine) | 1) * kF32PerLine; }

dnnl::memory::desc PlaneMatrices::all() const { return f32({kWinogradPlanes, rows, columns}, {stride(), columns, 1}); }
dnnl::memory::desc PlaneMatrices::one() const { return f32({rows, columns}, {columns, 1}); }
dnnl::memory::desc PlaneMatrices::transposed() const { return f32({columns, rows}, {1, columns}); }

ThreadProducts::ThreadProducts(const dnnl::memory::desc& y, const dnnl::memory::desc& a, const dnnl::memory::desc& b,
                               ProductResult result, int threads) {
  const OneThread prepared_for;
  dnnl::primitive_attr attributes = cpu::attributes();
  if (result == ProductResult::kAdd) {
    dnnl::post_ops sum;
    sum.append_sum(1.0F);
    attributes.set_post_ops(sum);
  }
  const dnnl::matmul::primitive_desc product = matrix_product(y, a, b, attributes);
  for (int thread = 0; thread < threads; ++thread) {
    calls_.emplace_back(product, std::vector{DNNL_ARG_SRC, DNNL_ARG_WEIGHTS, DNNL_ARG_DST});
  }
}

void ThreadProducts::run(int thread, float* y, float* a, float* b, void* scratch) {
  calls_[static_cast<size_t>(thread)].run({{DNNL_ARG_SRC, a}, {DNNL_ARG_WEIGHTS, b}, {DNNL_ARG_DST, y}}, scratch);
}

}  // namespace bn::cpu
