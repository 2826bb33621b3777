#include <algorithm>

#include "cpu/winograd.hpp"

namespace bn::cpu {
namespace {

// Of transforms and products together, what a second-level cache holds. But in a block of few tiles all time goes to
// reading the weights anew: with 192 channels and more 48 tiles take 0.75 to 0.9 of the time of 16.
constexpr int64_t kBlockBytes = int64_t{2} << 20;
constexpr int64_t kEnoughBlockTiles = 48;
constexpr int64_t kLeastBlockTiles = 8;

// As many for each thread. Products with AVX-512 have the same bits in blocks of any size, and so on any number of
// threads; without it they may not.
int64_t blocks_of(int64_t tiles, int64_t channels, int64_t threads) {
  const int64_t tile_bytes = kWinogradPlanes * channels * size_of(DType::kF32);
  const int64_t blocks = divide_up(tiles, std::max(kBlockBytes / tile_bytes, kEnoughBlockTiles));
  return std::min(divide_up(blocks, threads) * threads, divide_up(tiles, kLeastBlockTiles));
}

}  // namespace

WinogradCorrelation::WinogradCorrelation(DType maps, const Shape& from, const Shape& to,
                                         const ConvolutionWindow& window, int threads)
    : maps_(maps),
      from_(from),
      to_(to),
      pad_(window.pad),
      threads_(threads),
      grid_(to),
      blocks_(blocks_of(grid_.count(), from.c + to.c, threads)),
      inputs_{divide_up(grid_.count(), blocks_), from.c},
      products_{inputs_.rows, to.c},
      weights_{from.c, to.c},
      multiply_(products_.all(), inputs_.all(), weights_.all(), ProductResult::kOverwrite, threads) {
  Regions regions;
  regions.add(inputs_.bytes());
  products_offset_ = regions.add(products_.bytes());
  scratchpad_offset_ = regions.add(multiply_.scratch_bytes());
  thread_bytes_ = regions.bytes();
}

void WinogradCorrelation::pack(void* transformed, const float* w, WindowOrder order) const {
  const bool is_rotated = order == WindowOrder::kRotated;
  const int64_t inputs = is_rotated ? to_.c : from_.c;  // i of ohwi
  const int64_t windows = 9 * inputs;                   // elements of an o
#pragma omp parallel for num_threads(threads_) schedule(static)
  for (int64_t row = 0; row < weights_.rows; ++row) {
    const WindowRow window_row =
        is_rotated ? WindowRow{w + row * windows + 8 * inputs, -inputs, 1} : WindowRow{w + row, inputs, windows};
    kernels_.weights(weights_.row(transformed, row), window_row, weights_.columns);
  }
}

void WinogradCorrelation::run(const CorrelationCall& call, void* scratch) {
#pragma omp parallel num_threads(threads_)
  {
    const int thread = omp_get_thread_num();
    const Share blocks = share_of(blocks_);
    for (int64_t block = blocks.begin; block < blocks.end; ++block) {
      run_block(call, block, thread, at(scratch, thread * thread_bytes_));
    }
  }
}

// The last block may lack tiles: nobody reads what the product makes of the rows that are left as they were.
void WinogradCorrelation::run_block(const CorrelationCall& call, int64_t block, int thread, void* scratch) {
  void* products = at(scratch, products_offset_);
  const int64_t first = block * inputs_.rows, count = std::min(inputs_.rows, grid_.count() - first);
  for (int64_t i = 0; i < count; ++i) {
    const TileGrid::Place place = grid_.place(first + i);
    kernels_.input(inputs_.row(scratch, i), image(call.from, maps_, from_, place.image),
                   {from_.h, from_.w, from_.c, place.row - pad_, place.column - pad_});
  }
  multiply_.run(thread, static_cast<float*>(products), static_cast<float*>(scratch), static_cast<float*>(call.weights),
                at(scratch, scratchpad_offset_));
  for (int64_t i = 0; i < count; ++i) {
    const TileGrid::Place place = grid_.place(first + i);
    kernels_.output(image(call.to, maps_, to_, place.image), products_.row(products, i),
                    {to_.h, to_.w, to_.c, place.row, place.column}, call.bias, call.activation);
  }
}

}  // namespace bn::cpu
