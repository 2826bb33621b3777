#include <algorithm>

#include "cpu/winograd.hpp"

namespace bn::cpu {
namespace {

// Transforms of fewer tiles stay in nearer caches, but the sums are read and written more often, and threads wait for
// each other after each chunk: 64 to 512 tiles take the same time.
constexpr int64_t kChunkTiles = 256;

void zero(Planes planes, int64_t columns) {
  for (int64_t plane = 0; plane < kWinogradPlanes; ++plane) {
    std::fill_n(planes.data + plane * planes.stride, columns, 0.0F);
  }
}

}  // namespace

struct WinogradWeightGradient::Memory {
  float *inputs, *gradients, *sums;
  void* scratchpads;  // scratchpad_bytes_ a thread
};

WinogradWeightGradient::WinogradWeightGradient(const DirectionDesc& desc)
    : desc_(desc),
      grid_(desc),
      chunks_(divide_up(grid_.count(), kChunkTiles)),
      inputs_{divide_up(grid_.count(), chunks_), desc.from.c},
      gradients_{inputs_.rows, desc.to.c},
      sums_{desc.to.c, desc.from.c},
      first_(sums_.one(), gradients_.transposed(), inputs_.one(), ProductResult::kOverwrite, desc.threads),
      others_(sums_.one(), gradients_.transposed(), inputs_.one(), ProductResult::kAdd, desc.threads) {
  Regions regions, scratchpad;
  scratchpad.add(std::max(first_.scratch_bytes(), others_.scratch_bytes()));
  scratchpad_bytes_ = scratchpad.bytes();
  regions.add(inputs_.bytes());
  gradients_offset_ = regions.add(gradients_.bytes());
  sums_offset_ = regions.add(sums_.bytes());
  scratchpads_offset_ = regions.add(desc.threads * scratchpad_bytes_);
  scratch_bytes_ = regions.bytes();
}

WinogradWeightGradient::Memory WinogradWeightGradient::divide(void* scratch) const {
  const auto floats = [&](int64_t offset) { return static_cast<float*>(at(scratch, offset)); };
  return {.inputs = floats(0),
          .gradients = floats(gradients_offset_),
          .sums = floats(sums_offset_),
          .scratchpads = at(scratch, scratchpads_offset_)};
}

void WinogradWeightGradient::run(float* dw, const void* x, const void* dy, void* scratch) {
  const Memory memory = divide(scratch);
#pragma omp parallel num_threads(desc_.threads)
  {
    const int thread = omp_get_thread_num();
    for (int64_t chunk = 0; chunk < chunks_; ++chunk) {
      transform_chunk(memory, chunk, x, dy);
#pragma omp barrier
      multiply_chunk(memory, chunk, thread);
#pragma omp barrier
    }
    transform_sums(dw, memory);
  }
}

void WinogradWeightGradient::transform_chunk(const Memory& memory, int64_t chunk, const void* x, const void* dy) const {
  const Share tiles = share_of(inputs_.rows);
  for (int64_t i = tiles.begin; i < tiles.end; ++i) {
    const Planes inputs = inputs_.row(memory.inputs, i), gradients = gradients_.row(memory.gradients, i);
    const int64_t tile = chunk * inputs_.rows + i;
    if (tile >= grid_.count()) {
      zero(inputs, desc_.from.c);
      zero(gradients, desc_.to.c);
      continue;
    }
    kernels_.input(inputs, x, grid_.from(tile));
    kernels_.output_gradient(gradients, dy, grid_.to(tile));
  }
}

void WinogradWeightGradient::multiply_chunk(const Memory& memory, int64_t chunk, int thread) {
  ThreadProducts& products = chunk == 0 ? first_ : others_;
  const Share planes = share_of(kWinogradPlanes);
  for (int64_t plane = planes.begin; plane < planes.end; ++plane) {
    products.run(thread, memory.sums + plane * sums_.stride(), memory.gradients + plane * gradients_.stride(),
                 memory.inputs + plane * inputs_.stride(), at(memory.scratchpads, thread * scratchpad_bytes_));
  }
}

void WinogradWeightGradient::transform_sums(float* dw, const Memory& memory) const {
  const Share outputs = share_of(desc_.to.c);
  for (int64_t o = outputs.begin; o < outputs.end; ++o) {
    kernels_.weight_gradient(dw + o * 9 * desc_.from.c, sums_.row(memory.sums, o), desc_.from.c);
  }
}

}  // namespace bn::cpu
