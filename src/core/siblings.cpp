#include "core/siblings.hpp"

#include <algorithm>
#include <map>
#include <numeric>
#include <utility>

namespace bn {
namespace {

bool is_1x1(const OpSpec& spec) {
  const auto* conv = std::get_if<Conv2d>(&spec);
  return conv != nullptr && conv->kernel == 1 && conv->stride == 1 && conv->pad == 0;
}

// For each node the first of its siblings, or itself. A node after a sibling is one of those after the others.
std::vector<int> first_siblings(const Net& net) {
  const std::vector<Node>& nodes = net.nodes();
  std::vector<int> first(nodes.size());
  std::iota(first.begin(), first.end(), 0);
  std::map<int32_t, int> first_reader;                // of a value, among 1x1 convolutions
  std::map<int32_t, int> maker;                       // of a value
  std::map<std::pair<int, size_t>, int> first_after;  // (node, kind of op) -> the node that follows it
  for (int i = 0; i < static_cast<int>(nodes.size()); ++i) {
    const Node& node = nodes[static_cast<size_t>(i)];
    const auto at = static_cast<size_t>(i);
    if (is_1x1(node.spec)) {
      first[at] = first_reader.try_emplace(node.inputs[0].index, i).first->second;
    } else if (const auto made = maker.find(node.inputs[0].index); made != maker.end()) {
      const std::pair<int, size_t> place{first[static_cast<size_t>(made->second)], node.spec.index()};
      if (is_1x1(nodes[static_cast<size_t>(place.first)].spec))
        first[at] = first_after.try_emplace(place, i).first->second;
    }
    maker[node.output.index] = i;
  }
  return first;
}

// `tensors(node)`: the indices of its tensors of one kind.
template <class Tensors>
std::vector<int> order_of(const Net& net, size_t count, const Tensors& tensors) {
  const std::vector<int> first = first_siblings(net);
  std::vector<int> place(count);  // the tensor behind which each stands
  std::iota(place.begin(), place.end(), 0);
  for (size_t i = 0; i < net.nodes().size(); ++i) {
    const std::vector<int>&own = tensors(net.nodes()[i]), &firsts = tensors(net.nodes()[static_cast<size_t>(first[i])]);
    if (own.size() != firsts.size()) continue;
    for (size_t k = 0; k < own.size(); ++k) place[static_cast<size_t>(own[k])] = firsts[k];
  }
  std::vector<int> order(count);
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(),
                   [&](int a, int b) { return place[static_cast<size_t>(a)] < place[static_cast<size_t>(b)]; });
  return order;
}

}  // namespace

std::vector<int> parameter_order(const Net& net) {
  return order_of(net, net.parameters().size(),
                  [](const Node& node) -> const std::vector<int>& { return node.parameters; });
}

std::vector<int> state_order(const Net& net) {
  return order_of(net, net.state().size(), [](const Node& node) -> const std::vector<int>& { return node.state; });
}

}  // namespace bn
