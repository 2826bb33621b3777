#include "cpu/amx_parts.hpp"

#include <algorithm>

#include "cpu/parallel.hpp"

namespace bn::cpu {

int64_t odd_lines(int64_t values) {
  constexpr int64_t kValuesPerLine = 32;
  return (divide_up(values, kValuesPerLine) | 1) * kValuesPerLine;
}

AmxParts advanced(const AmxParts& parts, int64_t values) {
  return {parts.high + values, parts.low == nullptr ? nullptr : parts.low + values, parts.pitch};
}

FlatMaps::Run FlatMaps::run(const Shape& map, int64_t first, int64_t count) const {
  if (first < 0) return {std::min(count, -first), -1};
  if (first >= places()) return {count, -1};
  if (is_filled_by(map)) return {std::min(count, places() - first), first};
  const int64_t line = first / width_, column = first % width_, row = line % height_;
  if (row >= map.h || column >= map.w) return {std::min(count, width_ - column), -1};
  return {std::min(count, map.w - column), (line / height_ * map.h + row) * map.w + column};
}

std::array<int64_t, kAmxBlock> FlatMaps::pixels(const Shape& map, int64_t first) const {
  std::array<int64_t, kAmxBlock> pixels;
  for (int64_t i = 0; i < kAmxBlock;) {
    const Run here = run(map, first + i, kAmxBlock - i);
    for (int64_t j = 0; j < here.count; ++j) pixels[i + j] = here.pixel < 0 ? -1 : here.pixel + j;
    i += here.count;
  }
  return pixels;
}

}  // namespace bn::cpu
