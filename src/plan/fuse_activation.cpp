// Batch norm or bias followed by the activation becomes one step: saves writing and reading the tensor between them,
// forward and backward.
#include "plan/graph.hpp"

namespace bn {
namespace {

// Sets the activation on a spec that can carry one; false where it cannot.
bool fuse_into(OpSpec& spec, Activation activation, const Backend& backend) {
  if (auto* bias = std::get_if<BiasActivation>(&spec)) {
    bias->activation = activation;
    return true;
  }
  const auto* batch_norm = std::get_if<BatchNorm>(&spec);
  if (batch_norm == nullptr) return false;
  BatchNorm fused = *batch_norm;
  fused.activation = activation;
  if (!backend.supports_fused_activation(fused)) return false;
  spec = fused;
  return true;
}

}  // namespace

void fuse_activation(Graph& graph, const Backend& backend) {
  std::vector<bool> dead(graph.nodes.size(), false);
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    const auto* activate = std::get_if<Activate>(&graph.nodes[i].spec);
    if (activate == nullptr) continue;
    const int between = graph.nodes[i].inputs[0];
    if (graph.consumers(between).size() != 1) continue;
    for (size_t k = 0; k < i; ++k) {
      GraphNode& producer = graph.nodes[k];
      if (producer.output != between || !fuse_into(producer.spec, activate->activation, backend)) continue;
      producer.output = graph.nodes[i].output;
      dead[i] = true;
    }
  }
  erase_nodes(graph, dead);
}

}  // namespace bn
