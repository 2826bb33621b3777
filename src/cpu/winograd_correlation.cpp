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

WinogradCorrelation::WinogradCorrelation(const DirectionDesc& desc)
    : desc_(desc),
      grid_(desc),
      blocks_(blocks_of(grid_.count(), desc.from.c + desc.to.c, desc.threads)),
      inputs_{divide_up(grid_.count(), blocks_), desc.from.c},
      products_{inputs_.rows, desc.to.c},
      weights_{desc.from.c, desc.to.c},
      multiply_(products_.all(), inputs_.all(), weights_.all(), ProductResult::kOverwrite, desc.threads) {
  Regions regions;
  regions.add(inputs_.bytes());
  products_offset_ = regions.add(products_.bytes());
  scratchpad_offset_ = regions.add(multiply_.scratch_bytes());
  thread_bytes_ = regions.bytes();
}

void WinogradCorrelation::pack(void* transformed, const float* w, WindowOrder order) const {
  const bool is_rotated = order == WindowOrder::kRotated;
  const int64_t inputs = is_rotated ? desc_.to.c : desc_.from.c;  // i of ohwi
  const int64_t windows = 9 * inputs;                             // elements of an o
#pragma omp parallel for num_threads(desc_.threads) schedule(static)
  for (int64_t row = 0; row < weights_.rows; ++row) {
    const WindowRow window_row =
        is_rotated ? WindowRow{w + row * windows + 8 * inputs, -inputs, 1} : WindowRow{w + row, inputs, windows};
    kernels_.weights(weights_.row(transformed, row), window_row, weights_.columns);
  }
}

void WinogradCorrelation::run(const CorrelationCall& call, void* scratch) {
#pragma omp parallel num_threads(desc_.threads)
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
    kernels_.input(inputs_.row(scratch, i), call.from, grid_.from(first + i));
  }
  multiply_.run(thread, static_cast<float*>(products), static_cast<float*>(scratch), static_cast<float*>(call.weights),
                at(scratch, scratchpad_offset_));
  for (int64_t i = 0; i < count; ++i) {
    kernels_.output(call.to, products_.row(products, i), grid_.to(first + i), call.bias, call.activation);
  }
}

}  // namespace bn::cpu
