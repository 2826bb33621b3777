// Kernels that do the same to many arrays in one launch. The arrays are entries of a table, which is an argument of the
// kernel: it lies in no memory that must stay, or be uploaded. A block works on 2048 elements of one entry, and a
// thread on eight of these.
#pragma once

#include "cuda/kernels/device.hpp"

namespace bn::cuda {

constexpr unsigned kElements = 8;  // of a thread
constexpr unsigned kElementsOfBlock = kElements * kThreads;
constexpr size_t kArgumentBytes = 4096;  // CUDA's limit on those of a kernel

inline unsigned blocks_of(unsigned elements) { return (elements + kElementsOfBlock - 1) / kElementsOfBlock; }

// An entry has its first_block: those before it have so many.
template <class Table>
__device__ __forceinline__ const typename Table::Entry& entry_of_block(const Table& table) {
  int low = 0, high = table.count;
  while (high - low > 1) {
    const int middle = (low + high) / 2;
    (table.entries[middle].first_block <= blockIdx.x ? low : high) = middle;
  }
  return table.entries[low];
}

// The thread's.
template <class Entry>
__device__ __forceinline__ unsigned first_element(const Entry& entry) {
  return (blockIdx.x - entry.first_block) * kElementsOfBlock + threadIdx.x * kElements;
}

// One element, or so many that the memory must start on 16 bytes.
template <class T, int N>
__device__ __forceinline__ void load_all(float (&to)[N], const T* from) {
  constexpr int kAccess = N == 1 ? 1 : Element<T>::kWide;
#pragma unroll
  for (int first = 0; first < N; first += kAccess) {
    float part[kAccess];
    load<T, kAccess>(part, from + first);
#pragma unroll
    for (int k = 0; k < kAccess; ++k) to[first + k] = part[k];
  }
}

template <class T, int N>
__device__ __forceinline__ void store_all(T* to, const float (&from)[N]) {
  constexpr int kAccess = N == 1 ? 1 : Element<T>::kWide;
#pragma unroll
  for (int first = 0; first < N; first += kAccess) {
    float part[kAccess];
#pragma unroll
    for (int k = 0; k < kAccess; ++k) part[k] = from[first + k];
    store(to + first, part);
  }
}

}  // namespace bn::cuda
