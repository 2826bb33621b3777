#include "cpu/winograd.hpp"

#include <omp.h>

#include <algorithm>

namespace bn::cpu {
namespace {

// Where all directions together gain, as benchmark_cpu_winograd measures (two cores of an Intel Xeon, model 207, with
// AVX-512). Quotients direct / Winograd of forward, forward being the best direction, and of the weight gradient:
//   tiles used by    4/16 (2x2 maps)  0.85  1.0     channels  16 (28x28)  1.3  0.8     tiles  4 (7x7)    0.4  0.8
//                    6/16 (5x5)       0.85  0.9               32          1.6  1.1            8 (7x7)    0.8  1.1
//                    9/16 (3x3, 6x6)  1.2   1.2               64          1.8  1.5           16 (7x7)    1.6  1.5
//                   12/16 (7x7)       1.9   2.0              192 (14x14)  1.9  2.0           16 (14x14)  1.3  1.4
constexpr int64_t kLeastChannels = 32;
constexpr int64_t kLeastTiles = 16;
constexpr int64_t kLeastOutputs = 8;  // a tile has 16

// While one exists, oneDNN prepares its calls for one thread.
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

bool allows_winograd(const ConvolutionWindow& window, const OpDesc& desc) {
  const TensorDesc &x = desc.x.at(0), &y = desc.y;
  if (window.kernel != 3 || window.stride != 1 || window.pad > 2) return false;
  if (x.dtype != y.dtype) return false;
  return std::min(x.shape.c, y.shape.c) >= kLeastChannels && TileGrid(y.shape).count() >= kLeastTiles;
}

bool suits_winograd(const ConvolutionWindow& window, const OpDesc& desc) {
  return allows_winograd(window, desc) && desc.y.shape.rows() >= kLeastOutputs * TileGrid(desc.y.shape).count();
}

}  // namespace bn::cpu
