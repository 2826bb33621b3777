// A network as a record of ops: built once by NetBuilder, independent of batch size, types and device.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "bn/ops.hpp"

namespace bn {

struct ValueId {
  int32_t index = -1;
  bool operator==(const ValueId&) const = default;
};

struct Value {
  std::string name{};  // the name of the op that makes it; "images" and "labels" for the inputs
  Shape shape;         // one image's: n = 1
};

struct Node {
  std::string name{};  // path: "inception_3a/3x3/bn"
  OpSpec spec;
  std::vector<ValueId> inputs{};
  ValueId output;
  std::vector<int> parameters{};  // indices into Net::parameters()
  std::vector<int> state{};       // indices into Net::state(): {mean, var} for a batch norm, else empty
  bool is_frozen = false;         // its parameters stay as they are; a batch norm uses the population's statistics
};

struct ParameterInfo {
  std::string name{};  // "inception_3a/3x3/conv/w"
  ParameterSpec spec;
  float init_scale = 1.0F;  // multiplies the initial standard deviation of a weight
  bool is_frozen = false;
};

struct StateInfo {
  std::string name{};  // "inception_3a/3x3/bn/mean"
  int64_t channels = 0;
  bool is_variance = false;
  bool is_frozen = false;
};

class Net {
 public:
  const std::vector<Node>& nodes() const { return nodes_; }  // in execution order
  const std::vector<Value>& values() const { return values_; }
  const std::vector<ParameterInfo>& parameters() const { return parameters_; }
  const std::vector<StateInfo>& state() const { return state_; }
  ValueId images() const { return {0}; }
  ValueId labels() const { return {1}; }
  ValueId logits() const { return logits_; }

  int64_t classes() const { return values_.at(logits_.index).shape.c; }
  Shape image_shape() const { return values_.at(0).shape; }
  int64_t parameter_count() const;  // all learned values
  int64_t weight_count() const;     // convolutions and linear ops only: the paper's "parameters"
  int64_t multiply_adds() const;    // per image, up to the logits (auxiliary head excluded)
  // Null where no node has that name, or none writes that value.
  const Node* find(const std::string& name) const;
  const Node* producer_of(ValueId value) const;
  // Which nodes are needed to compute the logits (the rest: losses, auxiliary head).
  std::vector<bool> needed_for_logits() const;

 private:
  friend class NetBuilder;
  std::vector<Node> nodes_;
  std::vector<Value> values_;
  std::vector<ParameterInfo> parameters_;
  std::vector<StateInfo> state_;
  ValueId logits_;
};

// Records ops in execution order; checks shapes at once and throws ShapeError naming the op.
class NetBuilder {
 public:
  explicit NetBuilder(const Shape& image);  // n is ignored

  ValueId images() const { return {0}; }
  const Shape& shape(ValueId value) const { return net_.values_.at(value.index).shape; }
  // Adds one op. init_scale multiplies the initial deviation of its weights.
  ValueId add(const std::string& name, const OpSpec& spec, const std::vector<ValueId>& inputs, float init_scale = 1.0F);
  // Ops that are added from now on are frozen where their name begins with one of these and a slash.
  void freeze(std::vector<std::string> rows) { frozen_rows_ = std::move(rows); }
  // Parameters of this role are frozen in all ops that are added from now on.
  void fix(ParameterRole role) { fixed_roles_.push_back(role); }
  // Adds the loss over `logits`. The first call makes them the network's logits.
  void loss(const std::string& name, ValueId logits, float weight = 1.0F);
  Net build() &&;

 private:
  bool is_frozen(const std::string& name) const;

  Net net_;
  std::vector<std::string> frozen_rows_;
  std::vector<ParameterRole> fixed_roles_;
};

}  // namespace bn
