#include "bn/exchange.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <string_view>

#include "bn/error.hpp"
#include "bn/net.hpp"
#include "exchange/evaluated_weights.hpp"
#include "run/safetensors.hpp"

namespace bn {
namespace {

// --- the layers of an Inception network by their names in PyTorch

enum class ChannelOrder { kAsHere, kReversed };

// A convolution with its batch norm, or the last linear layer. Numbers are indices into Net::parameters() and
// Net::state(); -1: it has none.
struct PytorchLayer {
  std::string name;            // "inception_3a_double_3x3_1"; its batch norm's is NAME_bn
  std::string op;              // "inception_3a/double3x3a/conv"
  Shape w;                     // [o, kh, kw, i]
  int weight = -1, bias = -1;  // bias: the linear layer's
  int gamma = -1, beta = -1, mean = -1, var = -1;
  ChannelOrder input = ChannelOrder::kAsHere;  // reversed: of the images, RGB here and BGR there

  bool is_linear() const { return gamma < 0; }
};

using Names = std::pair<std::string_view, std::string_view>;  // here, there
constexpr std::array kBranches{Names{"1x1", "1x1"},
                               Names{"3x3_reduce", "3x3_reduce"},
                               Names{"3x3", "3x3"},
                               Names{"double3x3_reduce", "double_3x3_reduce"},
                               Names{"double3x3a", "double_3x3_1"},
                               Names{"double3x3b", "double_3x3_2"},
                               Names{"projection", "pool_proj"}};

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
  for (const auto& [here, there] : kBranches) {
    if (here == branch) return fmt::format("{}_{}", row, there);
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

// Lists the layers that the logits need, in the network's order. Throws UnsupportedError for an op that PyTorch's
// network has no name for.
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
    if (std::holds_alternative<BiasActivation>(node.spec) && node.name != "logits/bias") {
      refuse(node.name, "batch normalisation follows each convolution at once, without a bias");
    }
    const auto* activate = std::get_if<Activate>(&node.spec);
    if (activate != nullptr && activate->activation != Activation::kRelu) refuse(node.name, "its activations are ReLU");
  }
  return layers;
}

// --- weights

// Calls visit(index here, index there) for each weight: [o, h, w, i] here, [o, i, h, w] there.
template <class Visit>
void for_each_weight(const PytorchLayer& layer, Visit visit) {
  const int64_t area = layer.w.h * layer.w.w, in = layer.w.c;
  for (int64_t o = 0; o < layer.w.n; ++o) {
    for (int64_t place = 0; place < area; ++place) {
      for (int64_t i = 0; i < in; ++i) {
        const int64_t i_there = layer.input == ChannelOrder::kReversed ? in - 1 - i : i;
        visit(static_cast<size_t>((o * area + place) * in + i), static_cast<size_t>((o * in + i_there) * area + place));
      }
    }
  }
}

std::vector<int64_t> weight_dims(const PytorchLayer& layer) {
  if (layer.is_linear()) return {layer.w.n, layer.w.c};
  return {layer.w.n, layer.w.c, layer.w.h, layer.w.w};
}

// --- reading

class PytorchFile {
 public:
  explicit PytorchFile(const std::string& path) : file_(path, SafetensorsWriter::kAny) {
    for (const SafetensorsEntry& entry : file_.entries()) entries_[entry.name] = &entry;
  }

  bool has(const std::string& name) const { return entries_.contains(name); }
  const PytorchMetadata& metadata() const { return file_.metadata(); }

  // A vector may be a matrix of one row, as old versions of PyTorch wrote batch norms.
  std::vector<float> take(const std::string& name, const std::vector<int64_t>& dims, const std::string& op) {
    const auto found = entries_.find(name);
    if (found == entries_.end()) fail(fmt::format("has no '{}', which {} needs", name, op));
    const SafetensorsEntry& entry = *found->second;
    std::vector<int64_t> stored = entry.dims;
    if (dims.size() == 1 && stored.size() == 2 && stored[0] == 1) stored.erase(stored.begin());
    if (stored != dims) {
      fail(fmt::format("fits another network: '{}' is {} there, and {} needs {}", name, to_string(entry.dims), op,
                       to_string(dims)));
    }
    entries_.erase(found);
    std::vector<float> values = file_.read(entry);
    const bool is_variance = name.ends_with(".running_var");
    const std::string unsound = unsound_value(name, values, is_variance ? ValueKind::kVariance : ValueKind::kAny);
    if (!unsound.empty()) fail("cannot be used: " + unsound);
    return values;
  }

  // PyTorch counts the batches that its batch norms have seen; nothing here depends on it.
  void expect_nothing_left() const {
    for (const auto& [name, entry] : entries_) {
      if (name.ends_with(".num_batches_tracked")) continue;
      fail(fmt::format("fits another network: its '{}' ({}) belongs to no layer here", name, to_string(entry->dims)));
    }
  }

 private:
  [[noreturn]] void fail(const std::string& why) const {
    throw CheckpointError(fmt::format("'{}' {}", file_.path(), why));
  }

  SafetensorsFile file_;
  std::map<std::string, const SafetensorsEntry*> entries_;  // not taken yet
};

struct Upload {
  Tensor to;
  std::vector<float> values;
};

void take_layer(PytorchFile& file, const PytorchLayer& layer, const Parameters& parameters,
                std::vector<Upload>& uploads) {
  const std::vector<float> there = file.take(layer.name + ".weight", weight_dims(layer), layer.op);
  std::vector<float> w(there.size());
  for_each_weight(layer, [&](size_t i_here, size_t i_there) { w[i_here] = there[i_there]; });
  uploads.push_back({parameters.value(layer.weight), std::move(w)});
  const std::vector<int64_t> dims{layer.w.n};
  if (layer.is_linear()) {
    uploads.push_back({parameters.value(layer.bias), file.take(layer.name + ".bias", dims, layer.op)});
    return;
  }
  const std::string norm = layer.name + "_bn";
  uploads.push_back({parameters.value(layer.gamma), file.take(norm + ".weight", dims, layer.op)});
  uploads.push_back({parameters.value(layer.beta), file.take(norm + ".bias", dims, layer.op)});
  std::vector<float> mean = file.take(norm + ".running_mean", dims, layer.op);
  if (file.has(layer.name + ".bias")) {
    const std::vector<float> bias = file.take(layer.name + ".bias", dims, layer.op);
    for (size_t i = 0; i < mean.size(); ++i) mean[i] -= bias[i];
  }
  uploads.push_back({parameters.population(layer.mean), std::move(mean)});
  uploads.push_back({parameters.population(layer.var), file.take(norm + ".running_var", dims, layer.op)});
}

// Every parameter is in the file, those of a second classifier excepted: then there is nothing to fill them with.
void expect_all_named(const Net& net, const std::vector<PytorchLayer>& layers) {
  std::vector<bool> named(net.parameters().size(), false);
  for (const PytorchLayer& layer : layers) {
    for (const int parameter : {layer.weight, layer.bias, layer.gamma, layer.beta}) {
      if (parameter >= 0) named[static_cast<size_t>(parameter)] = true;
    }
  }
  const auto unnamed = std::ranges::find(named, false);
  if (unnamed == named.end()) return;
  throw UnsupportedError(fmt::format("{}: the public BN-Inception has no name for it: it has one classifier",
                                     net.parameters()[static_cast<size_t>(unnamed - named.begin())].name));
}

// --- writing

class PytorchWriter {
 public:
  PytorchWriter(const Parameters& parameters, WeightsCopy copy) : parameters_(parameters), copy_(copy) {}

  void add(const PytorchLayer& layer) {
    const std::vector<float> here = download(parameters_.value(layer.weight, copy_));
    std::vector<float> there(here.size());
    for_each_weight(layer, [&](size_t i_here, size_t i_there) { there[i_there] = here[i_here]; });
    add(layer.name + ".weight", weight_dims(layer), std::move(there));
    const std::vector<int64_t> dims{layer.w.n};
    if (layer.is_linear()) {
      add(layer.name + ".bias", dims, download(parameters_.value(layer.bias, copy_)));
      return;
    }
    const std::string norm = layer.name + "_bn";
    add(layer.name + ".bias", dims, std::vector<float>(static_cast<size_t>(layer.w.n)));
    add(norm + ".weight", dims, download(parameters_.value(layer.gamma, copy_)));
    add(norm + ".bias", dims, download(parameters_.value(layer.beta, copy_)));
    add(norm + ".running_mean", dims, download(parameters_.population(layer.mean)));
    add(norm + ".running_var", dims, download(parameters_.population(layer.var)));
  }

  void write(const std::string& path, const std::vector<std::pair<std::string, std::string>>& metadata) const {
    write_safetensors(path, metadata, entries_,
                      [&](size_t index, std::span<float> values) { std::ranges::copy(data_[index], values.begin()); });
  }

 private:
  void add(const std::string& name, const std::vector<int64_t>& dims, std::vector<float> values) {
    entries_.push_back({.name = name, .dims = dims});
    data_.push_back(std::move(values));
  }
  std::vector<float> download(const Tensor& tensor) const { return exchange::download(parameters_.backend(), tensor); }

  const Parameters& parameters_;
  WeightsCopy copy_;
  std::vector<SafetensorsEntry> entries_;
  std::vector<std::vector<float>> data_;
};

}  // namespace

PytorchMetadata read_pytorch(const std::string& path, Parameters& parameters) {
  const std::vector<PytorchLayer> layers = pytorch_layers(parameters.net());
  expect_all_named(parameters.net(), layers);
  PytorchFile file(path);
  std::vector<Upload> uploads;
  for (const PytorchLayer& layer : layers) take_layer(file, layer, parameters, uploads);
  file.expect_nothing_left();
  for (const Upload& upload : uploads) {
    parameters.backend().upload(upload.to.data, upload.values.data(), upload.to.bytes());
  }
  if (parameters.has_average()) parameters.reset_average();
  return file.metadata();
}

void write_pytorch(const std::string& path, const Parameters& parameters, WeightsCopy copy,
                   const PytorchMetadata& metadata) {
  PytorchWriter writer(parameters, copy);
  for (const PytorchLayer& layer : pytorch_layers(parameters.net())) writer.add(layer);
  writer.write(path, metadata);
}

}  // namespace bn
