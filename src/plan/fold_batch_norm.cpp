// Evaluation: a convolution or linear op absorbs the batch norm (or bias) and activation that follow it. Paper:
// Algorithm 2, step 11; the folding itself happens in the op's pack(). Per-activation batch norm has no per-channel
// form and stays.
#include "plan/graph.hpp"

namespace bn {
namespace {

// The one node that reads `value`, or nullptr.
GraphNode* only_consumer(Graph& graph, int value) {
  const std::vector<int> consumers = graph.consumers(value);
  return consumers.size() == 1 && value != graph.logits ? &graph.nodes[consumers[0]] : nullptr;
}

std::optional<Folded>* folded_of(OpSpec& spec) {
  return std::visit(Overloaded{
                        [](Conv2d& op) { return &op.folded; },
                        [](SeparableConv2d& op) { return &op.folded; },
                        [](Linear& op) { return &op.folded; },
                        [](auto&) -> std::optional<Folded>* { return nullptr; },
                    },
                    spec);
}

// Absorbs `next` into `node`: its parameters, statistics and output.
void absorb(Graph& graph, GraphNode& node, const GraphNode& next, std::vector<bool>& dead) {
  node.parameters.insert(node.parameters.end(), next.parameters.begin(), next.parameters.end());
  node.state.insert(node.state.end(), next.state.begin(), next.state.end());
  node.output = next.output;
  dead[static_cast<size_t>(&next - graph.nodes.data())] = true;
}

}  // namespace

void fold_batch_norm(Graph& graph) {
  std::vector<bool> dead(graph.nodes.size(), false);
  for (GraphNode& node : graph.nodes) {
    std::optional<Folded>* folded = folded_of(node.spec);
    if (folded == nullptr) continue;
    const GraphNode* next = only_consumer(graph, node.output);
    if (next == nullptr) continue;
    const auto* batch_norm = std::get_if<BatchNorm>(&next->spec);
    if (batch_norm != nullptr && batch_norm->scope == BatchNormScope::kSpatial) {
      *folded = Folded{.eps = batch_norm->eps, .activation = Activation::kNone};
    } else if (std::holds_alternative<BiasActivation>(next->spec)) {
      *folded = Folded{};
    } else {
      continue;
    }
    absorb(graph, node, *next, dead);
    next = only_consumer(graph, node.output);
    const auto* activate = next == nullptr ? nullptr : std::get_if<Activate>(&next->spec);
    if (activate == nullptr) continue;
    (*folded)->activation = activate->activation;
    absorb(graph, node, *next, dead);
  }
  erase_nodes(graph, dead);
}

}  // namespace bn
