#include "bn/parameters.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <optional>

#include "bn/rng.hpp"
#include "core/regions.hpp"

namespace bn {
namespace {

constexpr int64_t kAlignment = 16;  // elements: 64 bytes

int64_t aligned(int64_t elements) { return round_up(elements, kAlignment); }

// The parts of the slab, in order.
enum class Part { kDecayed, kOther, kFrozen };

Part part_of(const ParameterInfo& parameter, DecayScope scope) {
  if (parameter.is_frozen) return Part::kFrozen;
  return scope == DecayScope::kAll || parameter.spec.role == ParameterRole::kWeight ? Part::kDecayed : Part::kOther;
}

double initial_deviation(const ParameterInfo& parameter, const InitOptions& options) {
  const auto fan_in = static_cast<double>(parameter.spec.fan_in), fan_out = static_cast<double>(parameter.spec.fan_out);
  double deviation = options.std;
  if (options.kind == InitKind::kHe) deviation = std::sqrt(2.0 / fan_in);
  if (options.kind == InitKind::kXavier) deviation = std::sqrt(2.0 / (fan_in + fan_out));
  return deviation * parameter.init_scale;
}

std::vector<float> initial_values(const ParameterInfo& parameter, uint64_t seed, const InitOptions& options) {
  std::vector<float> values(static_cast<size_t>(parameter.spec.shape.elements()), 0.0F);
  switch (parameter.spec.role) {
    case ParameterRole::kWeight: {
      RandomStream random(seed, hash_name(parameter.name));
      const double deviation = initial_deviation(parameter, options);
      for (float& value : values) value = static_cast<float>(deviation * random.normal());
      break;
    }
    case ParameterRole::kBias:
      std::fill(values.begin(), values.end(), options.bias);
      break;
    case ParameterRole::kGamma:
      std::fill(values.begin(), values.end(), 1.0F);
      break;
    case ParameterRole::kBeta:
      break;
  }
  return values;
}

float* at(const Buffer& slab, int64_t elements) { return static_cast<float*>(slab.data()) + elements; }

Tensor span_of(const Buffer& slab, int64_t begin, int64_t end) {
  return dense(at(slab, begin), DType::kF32, vector_shape(end - begin));
}

// Siblings: 1x1 convolutions that read the same value, the batch norms after these, and the other batch norms of one
// concatenation. Their parameters lie one after another, so that a plan can compute them as one op
// (src/plan/merge_siblings.cpp).

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

// Indices in the order in which a slab holds them: that of creation, but where the first of some siblings has a tensor,
// those of the others follow it.
std::vector<int> parameter_order(const Net& net) {
  return order_of(net, net.parameters().size(),
                  [](const Node& node) -> const std::vector<int>& { return node.parameters; });
}

std::vector<int> state_order(const Net& net) {
  return order_of(net, net.state().size(), [](const Node& node) -> const std::vector<int>& { return node.state; });
}

}  // namespace

Parameters::Parameters(const Net& net, Backend& backend, DecayScope decay_scope, bool with_average)
    : net_(&net), backend_(&backend), offsets_(net.parameters().size()), state_offsets_(net.state().size()) {
  const std::vector<int> parameters = parameter_order(net), states = state_order(net);
  for (const Part part : {Part::kDecayed, Part::kOther, Part::kFrozen}) {
    for (const int parameter : parameters) {
      const auto i = static_cast<size_t>(parameter);
      if (part_of(net.parameters()[i], decay_scope) != part) continue;
      offsets_[i] = slab_elements_;
      slab_elements_ += aligned(net.parameters()[i].spec.shape.elements());
    }
    if (part == Part::kDecayed) decayed_elements_ = slab_elements_;
    if (part == Part::kOther) learned_elements_ = slab_elements_;
  }
  for (const bool frozen : {false, true}) {
    for (const int state : states) {
      const auto i = static_cast<size_t>(state);
      if (net.state()[i].is_frozen != frozen) continue;
      state_offsets_[i] = state_elements_;
      state_elements_ += aligned(net.state()[i].channels);
    }
    if (!frozen) learned_state_elements_ = state_elements_;
  }
  const auto slab = [&](int64_t elements) { return backend.allocate(elements * size_of(DType::kF32)); };
  values_ = slab(slab_elements_);
  gradients_ = slab(slab_elements_);
  velocities_ = slab(slab_elements_);
  if (with_average) average_ = slab(slab_elements_);
  batch_state_ = slab(state_elements_);
  population_ = slab(state_elements_);
}

void Parameters::initialize(uint64_t seed, const InitOptions& options) {
  for (size_t i = 0; i < offsets_.size(); ++i) {
    const std::vector<float> values = initial_values(net_->parameters()[i], seed, options);
    const Tensor target = value(static_cast<int>(i));
    backend_->upload(target.data, values.data(), target.bytes());
  }
  backend_->zero(velocities_->data(), velocities_->bytes());
  for (size_t i = 0; i < state_offsets_.size(); ++i) {
    const StateInfo& state = net_->state()[i];
    const std::vector<float> values(static_cast<size_t>(state.channels), state.is_variance ? 1.0F : 0.0F);
    const Tensor target = population(static_cast<int>(i));
    backend_->upload(target.data, values.data(), target.bytes());
  }
  statistics_updates = 0;
  if (has_average()) reset_average();
}

Tensor Parameters::slice(const Buffer& slab, int parameter) const {
  const auto index = static_cast<size_t>(parameter);
  return dense(at(slab, offsets_.at(index)), DType::kF32, net_->parameters().at(index).spec.shape);
}

Tensor Parameters::value(int parameter, WeightsCopy copy) const {
  return slice(copy == WeightsCopy::kAverage && has_average() ? *average_ : *values_, parameter);
}
Tensor Parameters::gradient(int parameter) const { return slice(*gradients_, parameter); }
Tensor Parameters::velocity(int parameter) const { return slice(*velocities_, parameter); }

Tensor Parameters::state_slice(const Buffer& slab, int state) const {
  const int64_t begin = state_offset(state);
  return span_of(slab, begin, begin + net_->state()[static_cast<size_t>(state)].channels);
}
Tensor Parameters::batch_state(int state) const { return state_slice(*batch_state_, state); }
Tensor Parameters::population(int state) const { return state_slice(*population_, state); }

Tensor Parameters::batch_state_slab() const { return span_of(*batch_state_, 0, learned_state_elements_); }
Tensor Parameters::population_slab() const { return span_of(*population_, 0, learned_state_elements_); }
Tensor Parameters::average_slab() const { return span_of(*average_, 0, slab_elements_); }
Tensor Parameters::value_slab() const { return span_of(*values_, 0, slab_elements_); }
Tensor Parameters::gradient_slab() const { return span_of(*gradients_, 0, learned_elements_); }

std::array<SgdUpdate, 2> Parameters::sgd_updates(const SgdOptions& options, StepState* step) const {
  const auto update = [&](int64_t begin, int64_t end, float l2) {
    return SgdUpdate{.value = span_of(*values_, begin, end),
                     .velocity = span_of(*velocities_, begin, end),
                     .gradient = span_of(*gradients_, begin, end),
                     .momentum = options.momentum,
                     .l2 = l2,
                     .kind = options.kind,
                     .step = step};
  };
  return {update(0, decayed_elements_, options.l2), update(decayed_elements_, learned_elements_, 0.0F)};
}

void Parameters::update_average(const StepState* step) {
  backend_->blend(average_slab(), value_slab(), {}, &step->now.average_weight);
}

void Parameters::reset_average() { backend_->sum(average_slab(), {value_slab()}); }

std::vector<NamedTensor> Parameters::named_tensors() const {
  std::vector<NamedTensor> tensors;
  const auto add = [&](const char* prefix, auto&& tensor_of) {
    for (size_t i = 0; i < offsets_.size(); ++i) {
      tensors.push_back({prefix + net_->parameters()[i].name, tensor_of(static_cast<int>(i))});
    }
  };
  add("value/", [&](int i) { return value(i); });
  add("velocity/", [&](int i) { return velocity(i); });
  if (has_average()) add("average/", [&](int i) { return value(i, WeightsCopy::kAverage); });
  for (size_t i = 0; i < state_offsets_.size(); ++i) {
    tensors.push_back({"population/" + net_->state()[i].name, population(static_cast<int>(i))});
  }
  return tensors;
}

}  // namespace bn
