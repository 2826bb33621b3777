// Buffers whose lifetimes do not meet share memory. They are placed greedily by decreasing size, each at the lowest
// offset that is free over its whole lifetime. On the networks here the arena is within a few per cent of the peak of
// live bytes.
#include <algorithm>
#include <numeric>

#include "plan/graph.hpp"

namespace bn {

int64_t assign_offsets(std::vector<Lifetime>& buffers) {
  std::vector<size_t> order(buffers.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return buffers[a].bytes > buffers[b].bytes; });

  int64_t arena = 0;
  std::vector<size_t> placed;  // sorted by offset
  for (const size_t index : order) {
    Lifetime& buffer = buffers[index];
    buffer.bytes = round_up(buffer.bytes, kBufferAlignment);
    int64_t offset = 0;
    for (const size_t other_index : placed) {
      const Lifetime& other = buffers[other_index];
      if (other.last < buffer.first || other.first > buffer.last) continue;
      if (other.offset >= offset + buffer.bytes) break;
      offset = std::max(offset, other.offset + other.bytes);
    }
    buffer.offset = offset;
    arena = std::max(arena, offset + buffer.bytes);
    const auto position = std::upper_bound(placed.begin(), placed.end(), offset,
                                           [&](int64_t value, size_t other) { return value < buffers[other].offset; });
    placed.insert(position, index);
  }
  return arena;
}

}  // namespace bn
