// A concatenation whose inputs all come from ops that can write rows with a stride disappears: each producer writes its
// slice, and reads its slice of the gradient. Saves copying every module's output twice (forward and backward).
#include <algorithm>

#include "plan/graph.hpp"

namespace bn {
namespace {

const GraphNode* producer_of(const Graph& graph, int value) {
  const auto found =
      std::find_if(graph.nodes.begin(), graph.nodes.end(), [&](const GraphNode& node) { return node.output == value; });
  return found == graph.nodes.end() ? nullptr : &*found;
}

bool can_write_slice(const Graph& graph, int value, const Backend& backend) {
  const GraphNode* producer = producer_of(graph, value);
  return producer != nullptr && backend.supports_row_stride(producer->spec) && graph.consumers(value).size() == 1 &&
         graph.values[value].view_of < 0;
}

}  // namespace

void eliminate_concat(Graph& graph, const Backend& backend) {
  std::vector<bool> dead(graph.nodes.size(), false);
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    const GraphNode& node = graph.nodes[i];
    if (!std::holds_alternative<Concat>(node.spec)) continue;
    if (!std::all_of(node.inputs.begin(), node.inputs.end(),
                     [&](int input) { return can_write_slice(graph, input, backend); })) {
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
