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

FlatMaps::Run FlatMaps::run(int64_t first, int64_t count) const {
  if (first < 0) return {std::min(count, -first), -1};
  if (first >= places()) return {count, -1};
  if (is_dense()) return {std::min(count, places() - first), first};
  const int64_t line = first / width_, column = first % width_;
  const int64_t row = line % height_;
  if (row >= shape_.h || column >= shape_.w) return {std::min(count, width_ - column), -1};
  return {std::min(count, shape_.w - column), (line / height_ * shape_.h + row) * shape_.w + column};
}

void FlatMaps::rows(const uint8_t** to, int64_t first, int64_t count, const Shape& map, const void* data,
                    DType dtype) const {
  const int64_t pixel_bytes = map.c * size_of(dtype);
  const auto* bytes = static_cast<const uint8_t*>(data);
  for (int64_t i = 0; i < count;) {
    const int64_t place = first + i;
    if (place < 0 || place >= places()) {
      to[i++] = nullptr;
      continue;
    }
    const int64_t line = place / width_, column = place % width_, row = line % height_;
    const int64_t in_line = std::min(count - i, width_ - column);
    const int64_t pixel = (line / height_ * map.h + row) * map.w + column;
    const int64_t there = row < map.h ? std::clamp<int64_t>(map.w - column, 0, in_line) : 0;
    for (int64_t j = 0; j < in_line; ++j) to[i + j] = j < there ? bytes + (pixel + j) * pixel_bytes : nullptr;
    i += in_line;
  }
}

}  // namespace bn::cpu
