// The backward list is the forward list reversed. Where a value has several consumers, each writes a gradient of its
// own (every op overwrites its dx), and a sum follows the last of them. fuse_gradient_sum() changes the list.
#include <algorithm>

#include "plan/graph.hpp"

namespace bn {
namespace {

// Values some parameter that learns lies upstream of; the others (images, labels, frozen rows) need no gradient.
std::vector<bool> values_wanting_gradient(const Graph& graph) {
  std::vector<bool> wanting(graph.values.size(), false);
  for (const GraphNode& node : graph.nodes) {
    const bool wants = (!node.parameters.empty() && !node.is_frozen) ||
                       std::any_of(node.inputs.begin(), node.inputs.end(), [&](int x) { return wanting[x]; });
    for (const int output : node.written()) {
      wanting[output] = wants;
      if (wants) wanting[graph.root(output)] = true;
    }
  }
  return wanting;
}

}  // namespace

BackwardSchedule schedule_backward(const Graph& graph) {
  const std::vector<bool> wanting = values_wanting_gradient(graph);
  BackwardSchedule schedule;
  schedule.partials.resize(graph.values.size());
  std::vector<bool> summed(graph.values.size(), false);
  for (int i = static_cast<int>(graph.nodes.size()) - 1; i >= 0; --i) {
    const GraphNode& node = graph.nodes[i];
    const bool is_loss = std::holds_alternative<SoftmaxLoss>(node.spec);
    const std::vector<int> outputs = node.written();
    const bool is_reached = std::any_of(outputs.begin(), outputs.end(),
                                        [&](int output) { return !schedule.partials[graph.root(output)].empty(); });
    if (!is_loss && !is_reached) continue;  // nothing downstream reaches a loss
    if (!wanting[outputs[0]]) continue;     // nothing upstream learns
    for (const int output : outputs) {
      const int root = graph.root(output);  // a slice's gradient is a slice of the whole's
      if (schedule.partials[root].size() > 1 && !summed[root]) {
        schedule.steps.push_back({.node = -1, .sum_value = root});
      }
      summed[root] = true;
    }
    schedule.steps.push_back({.node = i, .sum_value = -1});
    for (int k = 0; k < static_cast<int>(node.inputs.size()); ++k) {
      if (wanting[node.inputs[k]]) schedule.partials[node.inputs[k]].push_back({.node = i, .input = k});
    }
  }
  return schedule;
}

}  // namespace bn
