#include "core/siblings.hpp"

#include <algorithm>
#include <map>
#include <numeric>
#include <optional>

namespace bn {
namespace {

bool is_1x1(const OpSpec& spec) {
  const auto* conv = std::get_if<Conv2d>(&spec);
  return conv != nullptr && conv->kernel == 1 && conv->stride == 1 && conv->pad == 0;
}

// Finds for each node the first of its siblings, or the node itself.
class FirstSiblings {
 public:
  explicit FirstSiblings(const Net& net) : nodes_(net.nodes()), first_(nodes_.size()), count_(nodes_.size(), 1) {
    std::iota(first_.begin(), first_.end(), 0);
    for (size_t i = 0; i < nodes_.size(); ++i) {
      const Node& node = nodes_[i];
      if (is_1x1(node.spec)) join(i, readers_.try_emplace(node.inputs[0].index, i).first->second);
      if (std::holds_alternative<BatchNorm>(node.spec)) join_after(i);
      if (std::holds_alternative<Concat>(node.spec)) join_before(node);
      maker_[node.output.index] = i;
    }
  }
  const Node& of(size_t node) const { return nodes_[first_[node]]; }

 private:
  void join(size_t node, size_t first) {
    if (node == first) return;
    first_[node] = first;
    ++count_[first];
  }

  // The node that makes a value, if it is of this kind; the network's inputs have none.
  template <class Spec>
  std::optional<size_t> maker_of(ValueId value) const {
    const auto maker = maker_.find(value.index);
    if (maker == maker_.end() || !std::holds_alternative<Spec>(nodes_[maker->second].spec)) return std::nullopt;
    return maker->second;
  }

  // Batch norms that normalise siblings are siblings themselves.
  void join_after(size_t node) {
    const auto conv = maker_of<Conv2d>(nodes_[node].inputs[0]);
    if (!conv || !is_1x1(nodes_[*conv].spec)) return;
    join(node, norms_.try_emplace(first_[*conv], node).first->second);
  }

  // Batch norms of one concatenation, but those that are siblings already.
  void join_before(const Node& concat) {
    std::optional<size_t> first;
    for (const ValueId input : concat.inputs) {
      const auto activation = maker_of<Activate>(input);
      const auto norm = maker_of<BatchNorm>(activation ? nodes_[*activation].inputs[0] : input);
      if (!norm || count_[first_[*norm]] > 1) continue;
      if (!first) first = norm;
      first_[*norm] = *first;
    }
  }

  const std::vector<Node>& nodes_;
  std::vector<size_t> first_;
  std::vector<int> count_;             // indexed by the first sibling: how many there are
  std::map<int32_t, size_t> readers_;  // from a value to the first 1x1 convolution that reads it
  std::map<int32_t, size_t> maker_;    // from a value to the node that makes it
  std::map<size_t, size_t> norms_;     // from the first of some siblings to the first batch norm after it
};

// `tensors(node)`: the indices of its tensors of one kind.
template <class Tensors>
std::vector<int> order_of(const Net& net, size_t count, const Tensors& tensors) {
  const FirstSiblings first(net);
  std::vector<int> place(count);  // the tensor behind which each stands
  std::iota(place.begin(), place.end(), 0);
  for (size_t i = 0; i < net.nodes().size(); ++i) {
    const std::vector<int>&own = tensors(net.nodes()[i]), &firsts = tensors(first.of(i));
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
