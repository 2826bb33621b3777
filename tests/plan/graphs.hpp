// The tests of passes read a graph by these functions.
#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "plan/graph.hpp"

namespace bn {

using Names = std::vector<std::string>;

inline Names names(const Graph& graph) {
  Names found;
  for (const GraphNode& node : graph.nodes) found.push_back(node.name);
  return found;
}

inline const GraphNode& node_of(const Graph& graph, const std::string& name) {
  return *std::find_if(graph.nodes.begin(), graph.nodes.end(),
                       [&](const GraphNode& node) { return node.name == name; });
}

}  // namespace bn
