// Sums of columns across blocks, without a second kernel: each block leaves its partial sums and takes a ticket, and
// the one that took the last adds all of them. Whichever that is, the order of the additions is that of the blocks.
#pragma once

#include "cuda/kernels/cover.hpp"

namespace bn::cuda {

// True, in all threads of it, in the last block of its range of columns to get here: the partial sums of all are there.
__device__ __forceinline__ bool is_last_block(unsigned* tickets) {
  if (gridDim.y == 1) {
    __syncthreads();
    return true;
  }
  BN_SHARED(int, is_last, [1]);
  __threadfence();  // who takes a later ticket sees what this thread has written
  __syncthreads();
  if (threadIdx.x == 0) {
    is_last[0] = atomicAdd(tickets + blockIdx.x, 1U) == gridDim.y - 1 ? 1 : 0;
    if (is_last[0] != 0) tickets[blockIdx.x] = 0;  // the next kernel expects zeros
  }
  __syncthreads();
  __threadfence();
  return is_last[0] != 0;
}

// How the last block's threads share its columns: `groups` of them take turns at the blocks of a column.
struct FinishPlace {
  int64_t column;
  int columns, group, groups;

  __device__ FinishPlace(int tile, int lanes) : columns(tile * lanes) {
    const int thread = static_cast<int>(threadIdx.x);
    column = static_cast<int64_t>(blockIdx.x) * columns + thread % columns;
    group = thread / columns;
    groups = kThreads / columns;
  }
};

// Adds the groups' sums, in a fixed tree; the result is group 0's.
template <int Kinds>
__device__ __forceinline__ void add_groups(double (&sums)[Kinds], const FinishPlace& place) {
  BN_SHARED(double, shared, [Kinds * kThreads]);
  const int thread = static_cast<int>(threadIdx.x);
#pragma unroll
  for (int kind = 0; kind < Kinds; ++kind) shared[kind * kThreads + thread] = sums[kind];
  for (int half = place.groups / 2; half > 0; half /= 2) {
    __syncthreads();
    if (place.group >= half) continue;
    const int other = thread + half * place.columns;
#pragma unroll
    for (int kind = 0; kind < Kinds; ++kind) {
      sums[kind] += shared[kind * kThreads + other];
      shared[kind * kThreads + thread] = sums[kind];
    }
  }
}

// sums[kind] = sum over blocks of partial[block, kind, column], in group 0.
template <int Kinds>
__device__ __forceinline__ void sum_blocks(double (&sums)[Kinds], const float* partial, int64_t c,
                                           const FinishPlace& place) {
  if (place.column < c) {
    for (int block = place.group; block < static_cast<int>(gridDim.y); block += place.groups) {
#pragma unroll
      for (int kind = 0; kind < Kinds; ++kind) {
        // Past this multiprocessor's own cache, which does not know what others have written.
        sums[kind] += __ldcg(partial + (static_cast<int64_t>(Kinds) * block + kind) * c + place.column);
      }
    }
  }
  add_groups(sums, place);
}

}  // namespace bn::cuda
