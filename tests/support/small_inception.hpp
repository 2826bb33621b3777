// A network of one convolution, one inception module and a pool over what is left: as a table, and as a configuration
// writes it.
#pragma once

#include <fmt/format.h>

#include <string>

#include "bn/model_options.hpp"

namespace bn::test {

inline InceptionTable small_inception(int64_t image_size) {
  return {.image_size = image_size,
          .image_channels = 3,
          .rows = {{.name = "conv1", .type = RowType::kConvolution, .patch = 3, .stride = 2, .filters = 8},
                   {.name = "inception_2a",
                    .type = RowType::kInception,
                    .conv1x1 = 8,
                    .conv3x3_reduce = 8,
                    .conv3x3 = 8,
                    .double3x3_reduce = 8,
                    .double3x3 = 8,
                    .pool = PoolKind::kAverage,
                    .projection = 8},
                   {.name = "pool3", .type = RowType::kAveragePool, .patch = 0}}};
}

// The value of the key model.network, or the file that it names.
inline std::string small_inception_text(int64_t image_size, const std::string& pool = "average") {
  return fmt::format(
      "{{kind: inception, image_size: {}, image_channels: 3, rows: ["
      "{{row: conv1, type: convolution, patch: 3, stride: 2, filters: 8}}, "
      "{{row: inception_2a, type: inception, 1x1: 8, 3x3_reduce: 8, 3x3: 8, double_3x3_reduce: 8, double_3x3: 8, "
      "pool: {}, projection: 8}}, "
      "{{row: pool3, type: average_pool, patch: 0}}]}}\n",
      image_size, pool);
}

}  // namespace bn::test
