#include "data/average_resize.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

namespace bn {
namespace {

// One direction of the resize: the old places that each new one covers, and the share of each in it. It is reused from
// image to image.
struct Cover {
  std::vector<int64_t> first, weight_at;  // one for each new place; weight_at has one more
  std::vector<float> weights;

  void compute(int64_t from, int64_t to) {
    first.clear(), weight_at.clear(), weights.clear();
    const double scale = static_cast<double>(from) / static_cast<double>(to);
    for (int64_t i = 0; i < to; ++i) {
      const double begin = static_cast<double>(i) * scale, end = begin + scale;
      const auto low = static_cast<int64_t>(begin);
      first.push_back(low);
      weight_at.push_back(static_cast<int64_t>(weights.size()));
      for (int64_t at = low; at < std::min(from, static_cast<int64_t>(std::ceil(end))); ++at) {
        const double covered = std::min(end, static_cast<double>(at + 1)) - std::max(begin, static_cast<double>(at));
        weights.push_back(static_cast<float>(covered / scale));
      }
    }
    weight_at.push_back(static_cast<int64_t>(weights.size()));
  }
};

// The weighted sum of some rows of bytes. The same operations in the same order whatever the instruction set, so the
// same bits; without multiply-add, which rounds otherwise.
[[gnu::always_inline]] inline void sum_rows(float* __restrict sum, const uint8_t* row, int64_t stride, int64_t count,
                                            const float* weights, int64_t rows) {
  for (int64_t i = 0; i < count; ++i) sum[i] = weights[0] * static_cast<float>(row[i]);
  for (int64_t r = 1; r < rows; ++r) {
    const uint8_t* __restrict next = row + r * stride;
    const float weight = weights[r];
    for (int64_t i = 0; i < count; ++i) sum[i] += weight * static_cast<float>(next[i]);
  }
}

void sum_rows_generic(float* sum, const uint8_t* row, int64_t stride, int64_t count, const float* weights,
                      int64_t rows) {
  sum_rows(sum, row, stride, count, weights, rows);
}

[[gnu::target("avx2")]] void sum_rows_avx2(float* sum, const uint8_t* row, int64_t stride, int64_t count,
                                           const float* weights, int64_t rows) {
  sum_rows(sum, row, stride, count, weights, rows);
}

using Pixel = float __attribute__((vector_size(16)));  // R G B and one to spare

Pixel load(const float* from) {
  Pixel pixel;
  std::memcpy(&pixel, from, sizeof(pixel));
  return pixel;
}

void average_columns(const std::vector<float>& row, const Cover& columns, int64_t out_width, uint8_t* out) {
  constexpr float kHalf = 0.5F;  // rounds
  for (int64_t x = 0; x < out_width; ++x) {
    const float* from = row.data() + 3 * columns.first[static_cast<size_t>(x)];
    Pixel sum = {kHalf, kHalf, kHalf, kHalf};
    const int64_t end = columns.weight_at[static_cast<size_t>(x) + 1];
    for (int64_t i = columns.weight_at[static_cast<size_t>(x)]; i < end; ++i, from += 3) {
      sum += load(from) * columns.weights[static_cast<size_t>(i)];
    }
    for (int c = 0; c < 3; ++c) out[3 * x + c] = static_cast<uint8_t>(sum[c]);
  }
}

}  // namespace

void average_resize(const uint8_t* rgb, int64_t height, int64_t width, int64_t stride, int64_t out_height,
                    int64_t out_width, uint8_t* out) {
  static const auto kSumRows = __builtin_cpu_supports("avx2") ? sum_rows_avx2 : sum_rows_generic;
  thread_local Cover rows, columns;
  thread_local std::vector<float> sum;
  rows.compute(height, out_height);
  columns.compute(width, out_width);
  const int64_t count = 3 * width;
  sum.assign(static_cast<size_t>(count + 1), 0.0F);  // the last pixel is loaded with one value to spare
  for (int64_t y = 0; y < out_height; ++y) {
    const uint8_t* row = rgb + rows.first[static_cast<size_t>(y)] * stride;
    const int64_t begin = rows.weight_at[static_cast<size_t>(y)], end = rows.weight_at[static_cast<size_t>(y) + 1];
    kSumRows(sum.data(), row, stride, count, rows.weights.data() + begin, end - begin);
    average_columns(sum, columns, out_width, out + 3 * y * out_width);
  }
}

}  // namespace bn
