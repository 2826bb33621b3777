// Batch norm or bias followed by the activation becomes one step: saves writing and reading the tensor between them,
// forward and backward.
#include "plan/graph.hpp"

namespace bn {
namespace {

// Sets the activation on a spec that can carry one; false where it cannot.
bool fuse_into(OpSpec& spec, Activation activation) {
  if (auto* bias = std::get_if<BiasActivation>(&spec)) {
    bias->activation = activation;
    return true;
  }
  auto* batch_norm = std::get_if<BatchNorm>(&spec);
  if (batch_norm == nullptr || !supports_fused_activation(*batch_norm)) return false;
  batch_norm->activation = activation;
  return true;
}

}  // namespace

void fuse_activation(Graph& graph) {
  std::vector<bool> dead(graph.nodes.size(), false);
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    const auto* activate = std::get_if<Activate>(&graph.nodes[i].spec);
    if (activate == nullptr) continue;
    const int between = graph.nodes[i].inputs[0];
    if (graph.consumers(between).size() != 1) continue;
    GraphNode* producer = graph.producer_of(between);
    if (producer == nullptr || !fuse_into(producer->spec, activate->activation)) continue;
    producer->output = graph.nodes[i].output;
    dead[i] = true;
  }
  erase_nodes(graph, dead);
}

}  // namespace bn
