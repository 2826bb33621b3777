// Batch norm followed by its activation becomes one step: saves writing and reading the tensor between them, forward
// and backward.
#include "plan/graph.hpp"

namespace bn {

void fuse_activation(Graph& graph, const Backend& backend) {
  std::vector<bool> dead(graph.nodes.size(), false);
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    const auto* activate = std::get_if<Activate>(&graph.nodes[i].spec);
    if (activate == nullptr) continue;
    const int between = graph.nodes[i].inputs[0];
    for (GraphNode& producer : graph.nodes) {
      auto* batch_norm = std::get_if<BatchNorm>(&producer.spec);
      if (batch_norm == nullptr || producer.output != between || graph.consumers(between).size() != 1) continue;
      BatchNorm fused = *batch_norm;
      fused.activation = activate->activation;
      if (!backend.supports_fused_activation(fused)) continue;
      *batch_norm = fused;
      producer.output = graph.nodes[i].output;
      dead[i] = true;
      break;
    }
  }
  erase_nodes(graph, dead);
}

}  // namespace bn
