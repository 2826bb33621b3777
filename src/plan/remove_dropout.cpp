// Evaluation: dropout is the identity, so its consumers read its input.
#include <algorithm>

#include "plan/graph.hpp"

namespace bn {

void remove_dropout(Graph& graph) {
  std::vector<bool> dead(graph.nodes.size(), false);
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    if (!std::holds_alternative<Dropout>(graph.nodes[i].spec)) continue;
    dead[i] = true;
    for (const int consumer : graph.consumers(graph.nodes[i].output)) {
      std::replace(graph.nodes[consumer].inputs.begin(), graph.nodes[consumer].inputs.end(), graph.nodes[i].output,
                   graph.nodes[i].inputs[0]);
    }
  }
  erase_nodes(graph, dead);
}

}  // namespace bn
