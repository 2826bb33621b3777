// The 1x1 convolutions of a module that read the same value become one, whose weights lie one after another in
// Parameters, and the batch norms after them become one over all channels, which writes each sibling's where it was
// written before. Saves reading the input and writing terms of its gradient once per sibling, and starting an op.
//
// The other batch norms that write into one concatenation become one too, which reads several inputs. Saves starting an
// op.
//
// Some sums change their order, and in bf16 the siblings' terms of a gradient are no longer rounded one by one.
// Parameters, statistics and their names stay those of the siblings.
#include <algorithm>
#include <string>
#include <string_view>
#include <utility>

#include "plan/graph.hpp"

namespace bn {
namespace {

constexpr size_t kMostSiblings = 4;  // a batch norm's output has at most so many parts

struct Sibling {
  int conv = -1, norm = -1;  // nodes; conv is -1 where the batch norms alone become one
};
using Siblings = std::vector<Sibling>;

const BatchNorm& norm_of(const GraphNode& node) { return std::get<BatchNorm>(node.spec); }

bool same_norm(const BatchNorm& a, const BatchNorm& b) { return a.eps == b.eps && a.activation == b.activation; }

// Values from which a loss is reached.
std::vector<bool> reaching_a_loss(const Graph& graph) {
  std::vector<bool> reaching(graph.values.size(), false);
  for (auto node = graph.nodes.rbegin(); node != graph.nodes.rend(); ++node) {
    const std::vector<int> outputs = node->written();
    const bool reaches = std::holds_alternative<SoftmaxLoss>(node->spec) ||
                         std::any_of(outputs.begin(), outputs.end(),
                                     [&](int output) { return reaching[static_cast<size_t>(graph.root(output))]; });
    if (!reaches) continue;
    for (const int input : node->inputs) {
      reaching[static_cast<size_t>(input)] = reaching[static_cast<size_t>(graph.root(input))] = true;
    }
  }
  return reaching;
}

// "module/1x1/conv" and "module/3x3/conv" are "module/{1x1,3x3}/conv".
std::string joined_name(const std::vector<std::string>& names) {
  const std::string& first = names[0];
  const auto shared_by_all = [&](auto&& shared_with) {
    size_t shared = first.size();
    for (const std::string& name : names) shared = std::min(shared, shared_with(name));
    return shared;
  };
  size_t prefix = shared_by_all([&](const std::string& name) {
    return static_cast<size_t>(std::ranges::mismatch(first, name).in1 - first.begin());
  });
  prefix = first.substr(0, prefix).rfind('/') + 1;  // of whole parts; 0 where there is none
  const std::string_view suffix = std::string_view(first).substr(std::min(first.rfind('/'), first.size()));
  const bool share_suffix = std::ranges::all_of(
      names, [&](const auto& name) { return name.size() > prefix + suffix.size() && name.ends_with(suffix); });
  std::string joined = first.substr(0, prefix) + "{";
  for (const std::string& name : names) {
    const size_t end = share_suffix ? name.size() - suffix.size() : name.size();
    joined += (&name == &first ? "" : ",") + name.substr(prefix, end - prefix);
  }
  return joined + "}" + std::string(share_suffix ? suffix : "");
}

class Merger {
 public:
  Merger(Graph& graph, const Parameters& parameters)
      : graph_(graph), parameters_(parameters), reaching_(reaching_a_loss(graph)) {}

  void merge();

 private:
  GraphNode& node(int index) { return graph_.nodes[static_cast<size_t>(index)]; }
  GraphValue& value(int index) { return graph_.values[static_cast<size_t>(index)]; }
  bool is_mergeable_norm(int index);
  bool is_sibling(int conv, Sibling& found);
  std::vector<Siblings> readers_of(int value);
  std::vector<Siblings> writers_of(int value);
  bool follows(const Sibling& before, const Sibling& next);
  void add(std::vector<Siblings>& groups, const Sibling& next);
  int add_value(const std::vector<int>& parts);
  GraphNode joined_node(const std::vector<int>& nodes);
  void merge_convolutions(const Siblings& siblings);
  void merge_norms(const Siblings& siblings);

  Graph& graph_;
  const Parameters& parameters_;
  std::vector<bool> reaching_;
  std::vector<std::pair<int, GraphNode>> after_;  // a new node, and the one behind which it stands
  std::vector<bool> dead_;
};

bool Merger::is_mergeable_norm(int index) {
  const GraphNode& norm = node(index);
  const auto* spec = std::get_if<BatchNorm>(&norm.spec);
  return spec != nullptr && !dead_[static_cast<size_t>(index)] && !norm.is_frozen && spec->synchronised_parts == 1 &&
         supports_row_stride(*spec) && reaching_[static_cast<size_t>(graph_.root(norm.output))];
}

bool Merger::is_sibling(int conv, Sibling& found) {
  const auto* spec = std::get_if<Conv2d>(&node(conv).spec);
  if (spec == nullptr || spec->kernel != 1 || spec->stride != 1 || spec->pad != 0 || spec->folded) return false;
  const int output = node(conv).output;
  const std::vector<int> readers = graph_.consumers(output);
  if (node(conv).is_frozen || value(output).view_of >= 0 || readers.size() != 1) return false;
  if (!is_mergeable_norm(readers[0])) return false;
  found = {.conv = conv, .norm = readers[0]};
  return true;
}

// Whether the parameters of `next` lie behind those of `before`. Each tensor begins on 64 bytes, so there are gaps
// between those of odd sizes.
bool Merger::follows(const Sibling& before, const Sibling& next) {
  const auto follow = [&](int a, int b) {
    if (a < 0) return b < 0;
    const GraphNode &first = node(a), &second = node(b);
    const auto adjacent = [](const Tensor& tensor, const Tensor& other) {
      return tensor.as<char>() + tensor.bytes() == other.data;
    };
    return std::equal(first.parameters.begin(), first.parameters.end(), second.parameters.begin(),
                      second.parameters.end(),
                      [&](int p, int q) { return adjacent(parameters_.value(p), parameters_.value(q)); }) &&
           std::equal(first.state.begin(), first.state.end(), second.state.begin(), second.state.end(),
                      [&](int p, int q) { return adjacent(parameters_.batch_state(p), parameters_.batch_state(q)); });
  };
  return same_norm(norm_of(node(before.norm)), norm_of(node(next.norm))) && follow(before.conv, next.conv) &&
         follow(before.norm, next.norm);
}

void Merger::add(std::vector<Siblings>& groups, const Sibling& next) {
  const bool joins = !groups.empty() && groups.back().size() < kMostSiblings && follows(groups.back().back(), next);
  joins ? groups.back().push_back(next) : groups.push_back({next});
}

// The 1x1 convolutions that read `value`, in groups that can become one.
std::vector<Siblings> Merger::readers_of(int value) {
  std::vector<Siblings> groups;
  for (const int reader : graph_.consumers(value)) {
    Sibling found;
    if (is_sibling(reader, found)) add(groups, found);
  }
  return groups;
}

// The batch norms that write slices of `value`, in groups that can become one.
std::vector<Siblings> Merger::writers_of(int value) {
  std::vector<Siblings> groups;
  for (int i = 0; i < static_cast<int>(graph_.nodes.size()); ++i) {
    const GraphNode& writer = node(i);
    const bool is_slice = writer.output != value && graph_.root(writer.output) == value;
    if (is_slice && is_mergeable_norm(i) && graph_.consumers(writer.output).empty()) add(groups, {.norm = i});
  }
  return groups;
}

int Merger::add_value(const std::vector<int>& parts) {
  GraphValue whole = value(parts[0]);
  whole.view_of = -1;
  whole.view_channel = 0;
  whole.shape.c = 0;
  std::vector<std::string> names;
  for (const int part : parts) {
    names.push_back(value(part).name);
    whole.shape.c += value(part).shape.c;
  }
  whole.name = joined_name(names);
  graph_.values.push_back(whole);
  return static_cast<int>(graph_.values.size()) - 1;
}

// Makes one node of them, which holds the siblings' parameters tensor by tensor.
GraphNode Merger::joined_node(const std::vector<int>& nodes) {
  GraphNode joined = node(nodes[0]);
  joined.joined = static_cast<int>(nodes.size());
  joined.parameters.clear();
  joined.state.clear();
  std::vector<std::string> names;
  for (const int each : nodes) names.push_back(node(each).name);
  joined.name = joined_name(names);
  const auto gather = [&](std::vector<int>& to, std::vector<int> GraphNode::*member) {
    for (size_t k = 0; k < (node(nodes[0]).*member).size(); ++k) {
      for (const int each : nodes) to.push_back((node(each).*member)[k]);
    }
  };
  gather(joined.parameters, &GraphNode::parameters);
  gather(joined.state, &GraphNode::state);
  for (const int each : nodes) dead_[static_cast<size_t>(each)] = true;
  return joined;
}

void Merger::merge_convolutions(const Siblings& siblings) {
  std::vector<int> convs, norms, between, outputs;
  for (const Sibling& sibling : siblings) {
    convs.push_back(sibling.conv);
    norms.push_back(sibling.norm);
    between.push_back(node(sibling.conv).output);
    outputs.push_back(node(sibling.norm).output);
  }
  GraphNode conv = joined_node(convs), norm = joined_node(norms);
  conv.output = add_value(between);
  std::get<Conv2d>(conv.spec).out_channels = value(conv.output).shape.c;
  int64_t channel = 0;
  for (const int part : between) {
    value(part).view_of = conv.output;
    value(part).view_channel = channel;
    channel += value(part).shape.c;
  }
  norm.inputs = {conv.output};
  norm.output = add_value(outputs);
  norm.output_parts = std::move(outputs);
  after_.emplace_back(convs[0], std::move(conv));
  after_.emplace_back(convs[0], std::move(norm));
}

// The new node stands behind the last of them, since nothing reads a slice before its concatenation is whole.
void Merger::merge_norms(const Siblings& siblings) {
  std::vector<int> norms, inputs, outputs;
  for (const Sibling& sibling : siblings) {
    norms.push_back(sibling.norm);
    inputs.push_back(node(sibling.norm).inputs[0]);
    outputs.push_back(node(sibling.norm).output);
  }
  GraphNode norm = joined_node(norms);
  norm.inputs = std::move(inputs);
  norm.output = add_value(outputs);
  norm.output_parts = std::move(outputs);
  after_.emplace_back(norms.back(), std::move(norm));
}

void Merger::merge() {
  dead_.assign(graph_.nodes.size(), false);
  const auto values = static_cast<int>(graph_.values.size());
  for (int v = 0; v < values; ++v) {
    for (const Siblings& siblings : readers_of(v)) {
      if (siblings.size() > 1) merge_convolutions(siblings);
    }
  }
  for (int v = 0; v < values; ++v) {
    for (const Siblings& siblings : writers_of(v)) {
      if (siblings.size() > 1) merge_norms(siblings);
    }
  }
  std::vector<GraphNode> nodes;
  for (size_t i = 0; i < graph_.nodes.size(); ++i) {
    if (!dead_[i]) nodes.push_back(std::move(graph_.nodes[i]));
    for (auto& [before, added] : after_) {
      if (before == static_cast<int>(i)) nodes.push_back(std::move(added));
    }
  }
  graph_.nodes = std::move(nodes);
}

}  // namespace

void merge_siblings(Graph& graph, const Parameters& parameters) { Merger(graph, parameters).merge(); }

}  // namespace bn
