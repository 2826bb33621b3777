#include "cpu/winograd.hpp"

#include <omp.h>

#include <algorithm>
#include <array>

namespace bn::cpu {
namespace {

// Where all directions together gain, as benchmark_cpu_winograd measures (two cores of an Intel Xeon, model 207, with
// AVX-512). Quotients direct / Winograd of forward and of the weight gradient:
//   tiles used by    4/16 (2x2 maps)  0.8   1.1     channels  16 (28x28)  1.3  0.8     tiles  4 (7x7)    0.4  0.8
//                    7/16 (2x2)       1.35  1.85              32          1.6  1.1            8 (7x7)    0.8  1.1
//                    9/16 (3x3, 6x6)  1.2   1.2               64          1.8  1.5           16 (7x7)    1.6  1.5
//                   12/16 (7x7)       1.9   2.0              192 (14x14)  1.9  2.0           16 (14x14)  1.3  1.4
constexpr int64_t kLeastChannels = 32;
constexpr int64_t kLeastTiles = 16;
constexpr int64_t kLeastOutputs = 7;  // a tile has 16

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

// The rows, or the columns, of maps behind one another, and the tiles that cover them.
class MapsInLine {
 public:
  // Maps of `from` pixels become maps of `to` pixels.
  MapsInLine(int64_t maps, int64_t from, int64_t to, const DirectionDesc& desc)
      : maps_(maps), from_(from), to_(to), pad_(desc.window.pad) {
    const int64_t own_tiles = divide_up(to, kWinogradTile) * kWinogradTile;
    period_ = desc.trains ? std::min(from + pad_, own_tiles) : own_tiles;
    shares_tiles_ = period_ < own_tiles;
  }

  int64_t tiles() const { return divide_up((maps_ - 1) * period_ + to_, kWinogradTile); }

  // Where a tile's pixels lie, or -1 where it has none; maps lie map_stride, and pixels pixel_stride apart.
  std::array<int64_t, kWinogradPatch> from_pixels(int64_t tile, int64_t map_stride, int64_t pixel_stride) const {
    return pixels<kWinogradPatch>(tile, -pad_, from_, map_stride, pixel_stride);
  }
  std::array<int64_t, kWinogradTile> to_pixels(int64_t tile, int64_t map_stride, int64_t pixel_stride) const {
    return pixels<kWinogradTile>(tile, 0, to_, map_stride, pixel_stride);
  }

 private:
  template <int64_t N>
  std::array<int64_t, N> pixels(int64_t tile, int64_t offset, int64_t size, int64_t map_stride,
                                int64_t pixel_stride) const {
    std::array<int64_t, N> places;
    for (int64_t i = 0; i < N; ++i) {
      const int64_t begin = tile * kWinogradTile, here = begin + offset + i;
      const int64_t map = (shares_tiles_ ? std::max<int64_t>(here, 0) : begin) / period_, pixel = here - map * period_;
      const bool is_there = map < maps_ && pixel >= 0 && pixel < size;
      places[i] = is_there ? map * map_stride + pixel * pixel_stride : -1;
    }
    return places;
  }

  int64_t maps_, from_, to_, pad_;
  int64_t period_;     // from a map's first pixel to the next one's
  bool shares_tiles_;  // then what lies between two maps is the padding of both
};

int64_t tiles_of(const ConvolutionWindow& window, const OpDesc& desc) {
  return TileGrid(forward_of(window, desc)).count();
}

}  // namespace

TileGrid::TileGrid(const DirectionDesc& desc) : from_channels_(desc.from.c), to_channels_(desc.to.c) {
  const Shape &from = desc.from, &to = desc.to;
  const auto high = [&](int64_t maps) { return MapsInLine(maps, from.h, to.h, desc); };
  const auto wide = [&](int64_t maps) { return MapsInLine(maps, from.w, to.w, desc); };
  const auto tiles = [&](int64_t across) { return high(to.n / across).tiles() * wide(across).tiles(); };
  int64_t across = 1;
  for (int64_t divisor = 2; divisor <= to.n; ++divisor) {
    if (to.n % divisor == 0 && tiles(divisor) < tiles(across)) across = divisor;
  }
  // Maps above each other are `across` maps apart.
  const int64_t from_row = from.w * from.c, to_row = to.w * to.c;
  const MapsInLine rows = high(to.n / across), columns = wide(across);
  for (int64_t i = 0; i < rows.tiles(); ++i) {
    rows_.push_back(
        {rows.from_pixels(i, across * from.h * from_row, from_row), rows.to_pixels(i, across * to.h * to_row, to_row)});
  }
  for (int64_t i = 0; i < columns.tiles(); ++i) {
    columns_.push_back({columns.from_pixels(i, from.h * from_row, from.c), columns.to_pixels(i, to.h * to_row, to.c)});
  }
}

TilePixels TileGrid::from(int64_t tile) const {
  const auto columns = static_cast<int64_t>(columns_.size());
  return {rows_[tile / columns].from.data(), columns_[tile % columns].from.data(), from_channels_};
}

TilePixels TileGrid::to(int64_t tile) const {
  const auto columns = static_cast<int64_t>(columns_.size());
  return {rows_[tile / columns].to.data(), columns_[tile % columns].to.data(), to_channels_};
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
  return std::min(x.shape.c, y.shape.c) >= kLeastChannels && tiles_of(window, desc) >= kLeastTiles;
}

bool suits_winograd(const ConvolutionWindow& window, const OpDesc& desc) {
  return allows_winograd(window, desc) && desc.y.shape.rows() >= kLeastOutputs * tiles_of(window, desc);
}

}  // namespace bn::cpu
