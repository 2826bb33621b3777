// The working copy of a network while it is compiled: batch size and types are known, passes rewrite it.
#pragma once

#include <string>
#include <vector>

#include "bn/net.hpp"
#include "bn/plan.hpp"

namespace bn {

constexpr const char* kImages = "images";  // the name of the input value

struct GraphValue {
  std::string name;
  Shape shape;
  DType dtype = DType::kF32;
  // A view has no memory of its own: it is the channels view_channel .. view_channel + c of another value.
  int view_of = -1;
  int64_t view_channel = 0;
  int64_t padded_row = 0;  // elements from row to row, where a backend wants more than the channels; 0: dense
};

struct GraphNode {
  std::string name;
  OpSpec spec;
  std::vector<int> inputs;  // indices into Graph::values
  int output = -1;
  std::vector<int> output_parts{};     // not empty: the values that hold output's channels, which has no memory then
  std::vector<int> parameters, state;  // indices into Parameters
  int joined = 1;                      // each run of so many parameters, or states, is one tensor of the op
  bool is_frozen = false;

  std::vector<int> written() const { return output_parts.empty() ? std::vector<int>{output} : output_parts; }
};

struct Graph {
  std::vector<GraphNode> nodes;  // in execution order
  std::vector<GraphValue> values;
  int images = 0, labels = 1, logits = -1;

  std::vector<int> consumers(int value) const;  // node indices, once per use
  GraphNode* producer_of(int value);            // null: an input of the network
  int root(int value) const { return values[value].view_of >= 0 ? values[value].view_of : value; }
  int64_t row_stride(int value) const {
    const GraphValue& whole = values[root(value)];
    return whole.padded_row > 0 ? whole.padded_row : whole.shape.c;
  }
};

inline bool is_training(const PlanOptions& options) { return options.purpose == Purpose::kTrain; }
inline bool uses_batch_statistics(const PlanOptions& options) {
  return is_training(options) || options.purpose == Purpose::kStatistics;
}
inline bool uses_batch_statistics(const PlanOptions& options, const GraphNode& node) {
  return uses_batch_statistics(options) && !node.is_frozen;
}

// The nodes a purpose needs, with batch size and types. Logits, losses and everything elementwise between the last
// linear op and the loss are f32 whatever the activation type.
Graph make_graph(const Net& net, const PlanOptions& options);

// Passes; each leaves a valid graph.
void remove_dropout(Graph& graph);             // identity in evaluation
void use_own_frozen_batch_norm(Graph& graph);  // training: libraries lack its gradient
void fold_batch_norm(Graph& graph);            // evaluation: batch norm and activation into the weights
void fuse_activation(Graph& graph);            // batch norm + activation in one step
void eliminate_concat(Graph& graph);           // producers write into the concatenation
// 1x1 convolutions of one value, with their batch norms, and other batch norms of one concatenation: one of each. For
// training.
void merge_siblings(Graph& graph, const Parameters& parameters);
void pad_images(Graph& graph, const Backend& backend);  // rows as wide as the backend's convolutions want

// Removes nodes marked dead.
void erase_nodes(Graph& graph, const std::vector<bool>& dead);

// --- backward.cpp: the list of backward steps and who writes which gradient.
struct BackwardStep {
  int node = -1;       // run this node's backward
  int sum_value = -1;  // sum the partial gradients of this value: the node does, if there is one, as it writes the last
};
struct GradientUse {  // one consumer's contribution to a value's gradient
  int node = -1;
  int input = -1;  // an index into the node's inputs
};
struct BackwardSchedule {
  std::vector<BackwardStep> steps;
  std::vector<std::vector<GradientUse>> partials;  // per value, in the order they are written
};
BackwardSchedule schedule_backward(const Graph& graph);
void fuse_gradient_sum(BackwardSchedule& schedule, const Graph& graph);  // pools sum the gradients of their inputs

}  // namespace bn
