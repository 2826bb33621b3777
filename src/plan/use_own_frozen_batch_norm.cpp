// Training: a frozen batch norm normalises by the population statistics. Libraries lack the gradient of that, so our
// own op computes it.
#include "plan/graph.hpp"

namespace bn {

void use_own_frozen_batch_norm(Graph& graph) {
  for (GraphNode& node : graph.nodes) {
    auto* batch_norm = std::get_if<BatchNorm>(&node.spec);
    if (batch_norm != nullptr && node.is_frozen) batch_norm->implementation = BatchNormImplementation::kCustom;
  }
}

}  // namespace bn
