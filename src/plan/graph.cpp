#include "plan/graph.hpp"

#include <algorithm>

namespace bn {
namespace {

bool is_wanted(const Node& node, bool needed_for_logits, Purpose purpose) {
  switch (purpose) {
    case Purpose::kTrain:
      return true;
    case Purpose::kStatistics:
      return !std::holds_alternative<SoftmaxLoss>(node.spec);
    case Purpose::kEvaluate:
    case Purpose::kEvaluateFolded:
      return needed_for_logits;
  }
  return true;
}

bool is_elementwise(const OpSpec& spec) {
  return std::holds_alternative<BiasActivation>(spec) || std::holds_alternative<Activate>(spec);
}

// f32 spreads from the logits back to the linear op that makes them.
void assign_types(Graph& graph, DType activations) {
  std::vector<bool> f32(graph.values.size(), false);
  f32[static_cast<size_t>(graph.logits)] = true;
  for (size_t i = graph.nodes.size(); i-- > 0;) {
    const GraphNode& node = graph.nodes[i];
    const bool is_loss = std::holds_alternative<SoftmaxLoss>(node.spec);
    if (is_loss || (is_elementwise(node.spec) && f32[node.output])) f32[node.inputs[0]] = true;
    if (is_loss) f32[node.output] = true;
  }
  for (size_t i = 0; i < graph.values.size(); ++i) graph.values[i].dtype = f32[i] ? DType::kF32 : activations;
  graph.values[graph.labels].dtype = DType::kI32;
}

}  // namespace

std::vector<int> Graph::consumers(int value) const {
  std::vector<int> found;
  for (size_t i = 0; i < nodes.size(); ++i) {
    for (const int input : nodes[i].inputs) {
      if (input == value) found.push_back(static_cast<int>(i));
    }
  }
  return found;
}

GraphNode* Graph::producer_of(int value) {
  const auto found =
      std::find_if(nodes.begin(), nodes.end(), [&](const GraphNode& node) { return node.output == value; });
  return found == nodes.end() ? nullptr : &*found;
}

Graph make_graph(const Net& net, const PlanOptions& options) {
  Graph graph;
  graph.logits = net.logits().index;
  for (const Value& value : net.values()) {
    Shape shape = value.shape;
    shape.n = options.batch;
    graph.values.push_back({value.name, shape, options.activations});
  }
  const std::vector<bool> needed = net.needed_for_logits();
  for (size_t i = 0; i < net.nodes().size(); ++i) {
    const Node& node = net.nodes()[i];
    if (!is_wanted(node, needed[i], options.purpose)) continue;
    GraphNode copy{.name = node.name,
                   .spec = node.spec,
                   .inputs = {},
                   .output = node.output.index,
                   .output_parts = {},
                   .parameters = node.parameters,
                   .state = node.state,
                   .joined = 1,
                   .is_frozen = node.is_frozen};
    for (const ValueId input : node.inputs) copy.inputs.push_back(input.index);
    graph.nodes.push_back(std::move(copy));
  }
  assign_types(graph, options.activations);
  return graph;
}

void erase_nodes(Graph& graph, const std::vector<bool>& dead) {
  std::vector<GraphNode> alive;
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    if (!dead[i]) alive.push_back(std::move(graph.nodes[i]));
  }
  graph.nodes = std::move(alive);
}

}  // namespace bn
