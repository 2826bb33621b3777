// The short passes; merge_siblings.cpp and fold_batch_norm.cpp have the others.
#include <algorithm>

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

bool can_write_slice(Graph& graph, int value) {
  const GraphNode* producer = graph.producer_of(value);
  return producer != nullptr && supports_row_stride(producer->spec) && graph.consumers(value).size() == 1 &&
         graph.values[value].view_of < 0;
}

// Looks at the first two terms alone, because only these can change places without changing the sum.
std::vector<GradientUse>::iterator adder_of(std::vector<GradientUse>& partials, const Graph& graph) {
  return std::find_if(partials.begin(), partials.begin() + 2, [&](const GradientUse& use) {
    return adds_gradient_terms(graph.nodes[static_cast<size_t>(use.node)].spec);
  });
}

}  // namespace

// Evaluation: dropout is the identity, so its consumers read its input.
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

// Training: a frozen batch norm normalises by the population statistics. Libraries lack the gradient of that, so our
// own op computes it.
void use_own_frozen_batch_norm(Graph& graph) {
  for (GraphNode& node : graph.nodes) {
    auto* batch_norm = std::get_if<BatchNorm>(&node.spec);
    if (batch_norm != nullptr && node.is_frozen) batch_norm->implementation = BatchNormImplementation::kCustom;
  }
}

// Batch norm or bias followed by the activation becomes one step: saves writing and reading the tensor between them,
// forward and backward.
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

// A concatenation whose inputs all come from ops that can write rows with a stride disappears: each producer writes its
// slice, and reads its slice of the gradient. Saves copying every module's output twice (forward and backward).
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

// Images of three channels make rows that tensor cores cannot read; where only convolutions read them, each row is as
// wide as the backend wants.
void pad_images(Graph& graph, const Backend& backend) {
  GraphValue& images = graph.values[graph.images];
  const std::vector<int> consumers = graph.consumers(graph.images);
  const bool convolutions_only = std::all_of(consumers.begin(), consumers.end(), [&](int node) {
    const OpSpec& spec = graph.nodes[node].spec;
    return std::holds_alternative<Conv2d>(spec) || std::holds_alternative<SeparableConv2d>(spec);
  });
  const int64_t wanted = backend.image_row_stride(images.shape.c, images.dtype);
  if (convolutions_only && wanted > images.shape.c) images.padded_row = wanted;
}

// A sum of gradients of which a pool writes one term is left to the pool: its backward runs where the sum would have
// been, and adds the other terms to what it writes. Saves starting an op, and writing and reading the pool's term.
//
// The sum keeps its order, so in f32 every bit stays. In bf16 the pool's term is no longer rounded before it is added.
void fuse_gradient_sum(BackwardSchedule& schedule, const Graph& graph) {
  std::vector<BackwardStep>& steps = schedule.steps;
  for (BackwardStep& sum : steps) {
    if (sum.node >= 0) continue;
    std::vector<GradientUse>& partials = schedule.partials[static_cast<size_t>(sum.sum_value)];
    const auto adder = adder_of(partials, graph);
    if (adder == partials.begin() + 2) continue;
    sum.node = adder->node;
    std::rotate(adder, adder + 1, partials.end());
  }
  // The step at a pool's former place is the one without a sum.
  std::vector<bool> adds(graph.nodes.size(), false);
  for (const BackwardStep& step : steps) {
    if (step.node >= 0 && step.sum_value >= 0) adds[static_cast<size_t>(step.node)] = true;
  }
  std::erase_if(steps,
                [&](const BackwardStep& step) { return step.sum_value < 0 && adds[static_cast<size_t>(step.node)]; });
}

}  // namespace bn
