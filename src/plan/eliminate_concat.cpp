// A concatenation whose inputs all come from ops that can write rows with a stride disappears: each producer writes its
// slice, and reads its slice of the gradient. Saves copying every module's output twice (forward and backward).
#include <algorithm>

#include "plan/graph.hpp"

namespace bn {
namespace {

bool can_write_slice(Graph& graph, int value) {
  const GraphNode* producer = graph.producer_of(value);
  return producer != nullptr && supports_row_stride(producer->spec) && graph.consumers(value).size() == 1 &&
         graph.values[value].view_of < 0;
}

}  // namespace

void eliminate_concat(Graph& graph) {
  std::vector<bool> dead(graph.nodes.size(), false);
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    const GraphNode& node = graph.nodes[i];
    if (!std::holds_alternative<Concat>(node.spec)) continue;
    if (!std::all_of(node.inputs.begin(), node.inputs.end(),
                     [&](int input) { return can_write_slice(graph, input); })) {
      continue;
    }
    int64_t channel = 0;
    for (const int input : node.inputs) {
      graph.values[input].view_of = node.output;
      graph.values[input].view_channel = channel;
      channel += graph.values[input].shape.c;
    }
    dead[i] = true;
  }
  erase_nodes(graph, dead);
}

}  // namespace bn
