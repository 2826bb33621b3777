#include "bn/net.hpp"

#include <algorithm>

#include "bn/error.hpp"

namespace bn {

int64_t Net::parameter_count() const {
  int64_t count = 0;
  for (const ParameterInfo& parameter : parameters_) count += parameter.spec.shape.elements();
  return count;
}

int64_t Net::weight_count() const {
  int64_t count = 0;
  for (const ParameterInfo& parameter : parameters_) {
    if (parameter.spec.role == ParameterRole::kWeight) count += parameter.spec.shape.elements();
  }
  return count;
}

int64_t Net::multiply_adds() const {
  const std::vector<bool> needed = needed_for_logits();
  int64_t count = 0;
  for (size_t i = 0; i < nodes_.size(); ++i) {
    if (!needed[i]) continue;
    std::vector<Shape> x;
    for (const ValueId input : nodes_[i].inputs) x.push_back(values_.at(input.index).shape);
    count += bn::multiply_adds(nodes_[i].spec, x);
  }
  return count;
}

const Node* Net::find(const std::string& name) const {
  const auto found = std::find_if(nodes_.begin(), nodes_.end(), [&](const Node& node) { return node.name == name; });
  return found == nodes_.end() ? nullptr : &*found;
}

const Node* Net::producer_of(ValueId value) const {
  const auto found = std::find_if(nodes_.begin(), nodes_.end(), [&](const Node& node) { return node.output == value; });
  return found == nodes_.end() ? nullptr : &*found;
}

std::vector<bool> Net::needed_for_logits() const {
  std::vector<bool> value_needed(values_.size(), false);
  value_needed.at(logits_.index) = true;
  std::vector<bool> needed(nodes_.size(), false);
  for (size_t i = nodes_.size(); i-- > 0;) {
    if (!value_needed[nodes_[i].output.index]) continue;
    needed[i] = true;
    for (const ValueId input : nodes_[i].inputs) value_needed[input.index] = true;
  }
  return needed;
}

NetBuilder::NetBuilder(const Shape& image) {
  net_.values_.push_back({"images", {1, image.h, image.w, image.c}});
  net_.values_.push_back({"labels", vector_shape(1)});
}

bool NetBuilder::is_frozen(const std::string& name) const {
  const std::string row = name.substr(0, name.find('/'));
  return std::find(frozen_rows_.begin(), frozen_rows_.end(), row) != frozen_rows_.end();
}

ValueId NetBuilder::add(const std::string& name, const OpSpec& spec, const std::vector<ValueId>& inputs,
                        float init_scale) {
  try {
    if (net_.find(name) != nullptr) throw ShapeError("two ops of this name");
    std::vector<Shape> x;
    for (const ValueId input : inputs) x.push_back(shape(input));
    const ValueId output{static_cast<int32_t>(net_.values_.size())};
    net_.values_.push_back({name, output_shape(spec, x)});
    Node node{.name = name,
              .spec = spec,
              .inputs = inputs,
              .output = output,
              .parameters = {},
              .state = {},
              .is_frozen = is_frozen(name)};
    for (ParameterSpec& parameter : parameters_of(spec, x)) {
      node.parameters.push_back(static_cast<int>(net_.parameters_.size()));
      const float scale = parameter.role == ParameterRole::kWeight ? init_scale : 1.0F;
      const std::string full_name = name + "/" + parameter.suffix;
      const bool is_fixed = std::find(fixed_roles_.begin(), fixed_roles_.end(), parameter.role) != fixed_roles_.end();
      net_.parameters_.push_back({full_name, std::move(parameter), scale, node.is_frozen || is_fixed});
    }
    if (const int64_t channels = state_channels(spec, x); channels > 0) {
      for (const bool is_variance : {false, true}) {
        node.state.push_back(static_cast<int>(net_.state_.size()));
        net_.state_.push_back({name + (is_variance ? "/var" : "/mean"), channels, is_variance, node.is_frozen});
      }
    }
    net_.nodes_.push_back(std::move(node));
    return output;
  } catch (Error& error) {
    error.add_context(name);
    throw;
  }
}

void NetBuilder::loss(const std::string& name, ValueId logits, float weight) {
  if (net_.logits_.index < 0) net_.logits_ = logits;
  add(name, SoftmaxLoss{.weight = weight}, {logits, net_.labels()});
}

Net NetBuilder::build() && {
  if (net_.logits_.index < 0) throw ShapeError("the network has no loss");
  return std::move(net_);
}

}  // namespace bn
