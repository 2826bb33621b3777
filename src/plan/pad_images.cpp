// Images of three channels make rows that tensor cores cannot read; where only convolutions read them, each row is as
// wide as the backend wants.
#include <algorithm>

#include "plan/graph.hpp"

namespace bn {

void pad_images(Graph& graph, const Backend& backend) {
  GraphValue& images = graph.values[graph.images];
  const std::vector<int> consumers = graph.consumers(graph.images);
  const bool convolutions_only = std::all_of(consumers.begin(), consumers.end(), [&](int node) {
    const OpSpec& spec = graph.nodes[node].spec;
    return std::holds_alternative<Conv2d>(spec) || std::holds_alternative<SeparableConv2d>(spec);
  });
  const int64_t wanted = backend.image_row_stride(images.shape.c, images.dtype);
  if (convolutions_only && wanted > images.shape.c) images.padded_row = wanted;
}

}  // namespace bn
