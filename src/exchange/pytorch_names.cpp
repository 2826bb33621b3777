#include "exchange/pytorch_names.hpp"

#include <fmt/format.h>

#include <array>
#include <string_view>

#include "bn/error.hpp"

namespace bn::exchange {
namespace {

struct Branch {
  std::string_view here, there;
};
constexpr std::array kBranches = {
    Branch{"1x1", "1x1"},
    Branch{"3x3_reduce", "3x3_reduce"},
    Branch{"3x3", "3x3"},
    Branch{"double3x3_reduce", "double_3x3_reduce"},
    Branch{"double3x3a", "double_3x3_1"},
    Branch{"double3x3b", "double_3x3_2"},
    Branch{"projection", "pool_proj"},
};

[[noreturn]] void refuse(const std::string& op, const std::string& why) {
  throw UnsupportedError(fmt::format("{}: the public BN-Inception has no name for it: {}", op, why));
}

const Node& node_of(const Net& net, const std::string& name, const char* why) {
  const Node* node = net.find(name);
  if (node == nullptr) refuse(name, why);
  return *node;
}

// "conv1_7x7_s2" for the op "conv1/conv", "conv2_3x3_reduce" for "conv2/reduce/conv", and the branches of a module.
std::string name_of(const Net& net, const std::string& op, const Conv2d& spec) {
  const std::string path = op.substr(0, op.rfind('/'));  // without "conv"
  const size_t slash = path.find('/');
  const std::string row = path.substr(0, slash);
  if (slash == std::string::npos) {
    const std::string step = spec.stride > 1 ? fmt::format("_s{}", spec.stride) : "";
    return fmt::format("{0}_{1}x{1}{2}", row, spec.kernel, step);
  }
  const std::string_view branch = std::string_view(path).substr(slash + 1);
  if (branch == "reduce") {
    const auto& main = std::get<Conv2d>(node_of(net, row + "/conv", "a row without its convolution").spec);
    return fmt::format("{0}_{1}x{1}_reduce", row, main.kernel);
  }
  for (const Branch& known : kBranches) {
    if (known.here == branch) return fmt::format("{}_{}", row, known.there);
  }
  refuse(op, "it is in no branch of a module");
}

PytorchLayer convolution(const Net& net, const Node& node, const Conv2d& spec) {
  const std::string path = node.name.substr(0, node.name.rfind('/'));
  const Node& norm = node_of(net, path + "/bn", "its convolutions have batch normalisation");
  if (std::get<BatchNorm>(norm.spec).scope != BatchNormScope::kSpatial) refuse(norm.name, "its statistics are spatial");
  PytorchLayer layer{.name = name_of(net, node.name, spec),
                     .op = node.name,
                     .w = net.parameters()[static_cast<size_t>(node.parameters.at(0))].spec.shape,
                     .weight = node.parameters.at(0)};
  layer.gamma = norm.parameters.at(0);
  layer.beta = norm.parameters.at(1);
  layer.mean = norm.state.at(0);
  layer.var = norm.state.at(1);
  if (node.inputs.at(0) == net.images() && layer.w.c == 3) layer.input = ChannelOrder::kReversed;
  return layer;
}

PytorchLayer linear(const Net& net, const Node& node) {
  if (node.name != "logits/linear") refuse(node.name, "its one linear layer gives the logits");
  const Shape& x = net.values()[static_cast<size_t>(node.inputs.at(0).index)].shape;
  if (x.h != 1 || x.w != 1) refuse(node.name, "the last pool must leave one pixel");
  const Node& bias = node_of(net, "logits/bias", "the linear layer has a bias");
  return {.name = "last_linear",
          .op = node.name,
          .w = net.parameters()[static_cast<size_t>(node.parameters.at(0))].spec.shape,
          .weight = node.parameters.at(0),
          .bias = bias.parameters.at(0)};
}

}  // namespace

std::vector<PytorchLayer> pytorch_layers(const Net& net) {
  std::vector<PytorchLayer> layers;
  const std::vector<bool> needed = net.needed_for_logits();
  for (size_t i = 0; i < needed.size(); ++i) {
    const Node& node = net.nodes()[i];
    if (!needed[i]) continue;
    if (const auto* spec = std::get_if<Conv2d>(&node.spec)) layers.push_back(convolution(net, node, *spec));
    if (std::holds_alternative<Linear>(node.spec)) layers.push_back(linear(net, node));
    if (std::holds_alternative<SeparableConv2d>(node.spec)) refuse(node.name, "its first convolution is dense");
    if (std::holds_alternative<LocalResponseNorm>(node.spec)) refuse(node.name, "it normalises batches alone");
  }
  return layers;
}

}  // namespace bn::exchange
