// The network as evaluation runs it, node by node in ONNX's words. ONNX is NCHW where we are NHWC, and rounds the
// number of a pool's positions down where we round up: our positions are made by padding at the far edge.
#include "bn/exchange.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <span>

#include "bn/error.hpp"
#include "bn/version.hpp"
#include "exchange/evaluated_weights.hpp"
#include "exchange/onnx.pb.h"
#include "system/files.hpp"

namespace bn {
namespace {

using exchange::EvaluatedWeights;
using exchange::ScaleAndShift;

constexpr int64_t kIrVersion = 8;
constexpr int64_t kOperatorSet = 13;
constexpr const char* kImages = "images";
constexpr const char* kLogits = "logits";

static_assert(std::endian::native == std::endian::little, "ONNX stores little-endian values");

class OnnxNode {
 public:
  explicit OnnxNode(onnx::NodeProto& node) : node_(node) {}
  OnnxNode& integer(const char* name, int64_t value) {
    add(name, onnx::AttributeProto::INT).set_i(value);
    return *this;
  }
  OnnxNode& integers(const char* name, const std::vector<int64_t>& values) {
    onnx::AttributeProto& attribute = add(name, onnx::AttributeProto::INTS);
    for (const int64_t value : values) attribute.add_ints(value);
    return *this;
  }
  OnnxNode& real(const char* name, float value) {
    add(name, onnx::AttributeProto::FLOAT).set_f(value);
    return *this;
  }

 private:
  onnx::AttributeProto& add(const char* name, onnx::AttributeProto::AttributeType type) {
    onnx::AttributeProto& attribute = *node_.add_attribute();
    attribute.set_name(name);
    attribute.set_type(type);
    return attribute;
  }

  onnx::NodeProto& node_;
};

class OnnxGraph {
 public:
  explicit OnnxGraph(onnx::GraphProto& graph) : graph_(graph) {}

  // A node is named after its output.
  OnnxNode add(const char* type, const std::vector<std::string>& inputs, const std::string& output) {
    onnx::NodeProto& node = *graph_.add_node();
    node.set_name(output);
    node.set_op_type(type);
    for (const std::string& input : inputs) node.add_input(input);
    node.add_output(output);
    return OnnxNode(node);
  }

  // A constant of the graph; returns its name.
  std::string constant(const std::string& name, const std::vector<int64_t>& dims, std::span<const float> values) {
    return add_tensor(name, onnx::TensorProto::FLOAT, dims, values);
  }
  std::string constant(const std::string& name, std::span<const int64_t> values) {
    return add_tensor(name, onnx::TensorProto::INT64, {static_cast<int64_t>(values.size())}, values);
  }

  // The first dimension is the batch: any number of images.
  void declare_input(const std::string& name, onnx::TensorProto::DataType type, const std::vector<int64_t>& image) {
    declare(*graph_.add_input(), name, type, image);
  }
  void declare_output(const std::string& name, const std::vector<int64_t>& image) {
    declare(*graph_.add_output(), name, onnx::TensorProto::FLOAT, image);
  }

 private:
  template <class Value>
  std::string add_tensor(const std::string& name, onnx::TensorProto::DataType type, const std::vector<int64_t>& dims,
                         std::span<const Value> values) {
    onnx::TensorProto& tensor = *graph_.add_initializer();
    tensor.set_name(name);
    tensor.set_data_type(type);
    for (const int64_t dim : dims) tensor.add_dims(dim);
    tensor.set_raw_data(values.data(), values.size_bytes());
    return name;
  }

  static void declare(onnx::ValueInfoProto& value, const std::string& name, onnx::TensorProto::DataType type,
                      const std::vector<int64_t>& image) {
    value.set_name(name);
    onnx::TypeProto::Tensor& tensor = *value.mutable_type()->mutable_tensor_type();
    tensor.set_elem_type(type);
    tensor.mutable_shape()->add_dim()->set_dim_param("batch");
    for (const int64_t dim : image) tensor.mutable_shape()->add_dim()->set_dim_value(dim);
  }

  onnx::GraphProto& graph_;
};

class OnnxWriter {
 public:
  OnnxWriter(onnx::GraphProto& proto, const Graph& graph, const Parameters& parameters, const OnnxOptions& options)
      : onnx_(proto),
        graph_(graph),
        weights_(parameters, options.weights),
        names_(graph.values.size()),
        is_flat_(graph.values.size(), false) {
    proto.set_name("bninception");
    for (size_t i = 0; i < names_.size(); ++i) names_[i] = graph.values[i].name;
    names_[static_cast<size_t>(graph.logits)] = kLogits;
    const Shape& image = shape(graph.images);
    if (options.input == OnnxInput::kPixels) {
      add_preprocessing(options, image);
    } else {
      onnx_.declare_input(kImages, onnx::TensorProto::FLOAT, {image.c, image.h, image.w});
    }
  }

  void write() {
    for (const GraphNode& node : graph_.nodes) {
      std::visit([&](const auto& spec) { add(node, spec); }, node.spec);
    }
    onnx_.declare_output(kLogits, {shape(graph_.logits).c});
  }

 private:
  const Shape& shape(int value) const { return graph_.values[static_cast<size_t>(value)].shape; }
  const std::string& name(int value) const { return names_[static_cast<size_t>(value)]; }
  const std::string& input(const GraphNode& node) const { return name(node.inputs.at(0)); }
  const std::string& output(const GraphNode& node) const { return name(node.output); }
  // One image's values are [c, h, w]; behind a linear op they are flat, [c].
  bool is_flat(int value) const { return is_flat_[static_cast<size_t>(value)]; }
  void pass_on_flatness(const GraphNode& node) {
    is_flat_[static_cast<size_t>(node.output)] = is_flat(node.inputs.at(0));
  }

  // u8 NHWC -> f32 NCHW, as the loader and Backend::load_images do it.
  void add_preprocessing(const OnnxOptions& options, const Shape& image) {
    onnx_.declare_input(kImages, onnx::TensorProto::UINT8, {image.h, image.w, image.c});
    onnx_.add("Cast", {kImages}, "images/f32").integer("to", onnx::TensorProto::FLOAT);
    std::string pixels = "images/f32";
    if (options.binarize >= 0) {
      const auto threshold = static_cast<float>(options.binarize);
      const float white = 255;
      onnx_.add("Greater", {pixels, onnx_.constant("images/threshold", {}, {&threshold, 1})}, "images/above");
      onnx_.add("Cast", {"images/above"}, "images/binary").integer("to", onnx::TensorProto::FLOAT);
      onnx_.add("Mul", {"images/binary", onnx_.constant("images/white", {}, {&white, 1})}, "images/binarized");
      pixels = "images/binarized";
    }
    const ImageNormalization& normalization = options.normalization;
    onnx_.add("Sub", {pixels, onnx_.constant("images/mean", {image.c}, normalization.mean)}, "images/centred");
    onnx_.add("Mul", {"images/centred", onnx_.constant("images/scale", {image.c}, normalization.scale)},
              "images/normalized");
    names_[static_cast<size_t>(graph_.images)] = "images/nchw";
    onnx_.add("Transpose", {"images/normalized"}, "images/nchw").integers("perm", {0, 3, 1, 2});
  }

  void add_activation(Activation activation, const std::string& from, const std::string& to) {
    switch (activation) {
      case Activation::kNone:
        onnx_.add("Identity", {from}, to);
        break;
      case Activation::kRelu:
        onnx_.add("Relu", {from}, to);
        break;
      case Activation::kSigmoid:
        onnx_.add("Sigmoid", {from}, to);
        break;
    }
  }

  // Names the op's own output, before an activation that it has absorbed.
  std::string before_activation(const GraphNode& node, const std::optional<Folded>& folded) const {
    return folded && folded->activation != Activation::kNone ? node.name : output(node);
  }
  void finish(const GraphNode& node, const std::optional<Folded>& folded) {
    if (before_activation(node, folded) != output(node)) add_activation(folded->activation, node.name, output(node));
  }

  std::vector<std::string> operands(const GraphNode& node, const std::string& x, const EvaluatedWeights& weights,
                                    const std::vector<int64_t>& dims) {
    std::vector<std::string> inputs{x, onnx_.constant(node.name + "/w", dims, weights.w)};
    if (!weights.bias.empty()) inputs.push_back(onnx_.constant(node.name + "/b", {dims.at(0)}, weights.bias));
    return inputs;
  }

  template <class Convolution>
  void add_convolution(const GraphNode& node, const Convolution& spec) {
    const int64_t k = spec.kernel, p = spec.pad;
    const std::vector<std::string> inputs = operands(node, input(node), weights_.convolution(node, spec),
                                                     {spec.out_channels, shape(node.inputs.at(0)).c, k, k});
    onnx_.add("Conv", inputs, before_activation(node, spec.folded))
        .integers("kernel_shape", {k, k})
        .integers("strides", {spec.stride, spec.stride})
        .integers("pads", {p, p, p, p});
    finish(node, spec.folded);
  }
  void add(const GraphNode& node, const Conv2d& spec) { add_convolution(node, spec); }
  void add(const GraphNode& node, const SeparableConv2d& spec) { add_convolution(node, spec); }

  void add(const GraphNode& node, const Linear& spec) {
    const Shape& x = shape(node.inputs.at(0));
    std::string flat = input(node);
    if (!is_flat(node.inputs.at(0))) {
      flat = node.name + "/flat";
      onnx_.add("Flatten", {input(node)}, flat).integer("axis", 1);
    }
    is_flat_[static_cast<size_t>(node.output)] = true;
    const std::vector<std::string> inputs =
        operands(node, flat, weights_.linear(node, spec, x), {spec.out_features, x.h * x.w * x.c});
    onnx_.add("Gemm", inputs, before_activation(node, spec.folded)).integer("transB", 1);
    finish(node, spec.folded);
  }

  void add(const GraphNode& node, const BatchNorm& spec) {
    const Shape& x = shape(node.inputs.at(0));
    const ScaleAndShift norm = weights_.batch_norm(node, spec, x);
    const bool per_activation = spec.scope == BatchNormScope::kPerActivation;
    const std::vector<int64_t> dims = is_flat(node.inputs.at(0)) ? std::vector<int64_t>{x.c}
                                      : per_activation           ? std::vector<int64_t>{x.c, x.h, x.w}
                                                                 : std::vector<int64_t>{x.c, 1, 1};
    const std::string scaled = node.name + "/scaled";
    const std::string normalized = spec.activation == Activation::kNone ? output(node) : node.name + "/normalized";
    onnx_.add("Mul", {input(node), onnx_.constant(node.name + "/scale", dims, norm.scale)}, scaled);
    onnx_.add("Add", {scaled, onnx_.constant(node.name + "/shift", dims, norm.shift)}, normalized);
    if (spec.activation != Activation::kNone) add_activation(spec.activation, normalized, output(node));
    pass_on_flatness(node);
  }

  void add(const GraphNode& node, const BiasActivation& spec) {
    const std::vector<float> bias = weights_.value(node.parameters.at(0));
    const auto c = static_cast<int64_t>(bias.size());
    const std::vector<int64_t> dims =
        is_flat(node.inputs.at(0)) ? std::vector<int64_t>{c} : std::vector<int64_t>{c, 1, 1};
    const std::string sum = spec.activation == Activation::kNone ? output(node) : node.name + "/sum";
    onnx_.add("Add", {input(node), onnx_.constant(node.name + "/b", dims, bias)}, sum);
    if (spec.activation != Activation::kNone) add_activation(spec.activation, sum, output(node));
    pass_on_flatness(node);
  }

  void add(const GraphNode& node, const Activate& spec) {
    add_activation(spec.activation, input(node), output(node));
    pass_on_flatness(node);
  }

  void add(const GraphNode& node, const Pool2d& spec) {
    const Shape &x = shape(node.inputs.at(0)), &y = shape(node.output);
    const bool is_average = spec.kind == PoolKind::kAverage;
    if (is_average && spec.pad == 0 && spec.kernel == x.h && spec.kernel == x.w) {
      onnx_.add("GlobalAveragePool", {input(node)}, output(node));
      return;
    }
    std::string from = input(node);
    int64_t pad = spec.pad;
    if (is_average && spec.border == PoolBorder::kIncludePadding && pad > 0) {
      // As a node of its own: programs that read ONNX differ in what count_include_pad means at the far edge.
      const std::vector<int64_t> pads{0, 0, pad, pad, 0, 0, pad, pad};
      from = node.name + "/padded";
      onnx_.add("Pad", {input(node), onnx_.constant(node.name + "/pads", pads)}, from);
      pad = 0;
    }
    const auto far = [&](int64_t size, int64_t positions) {
      return (positions - 1) * spec.stride + spec.kernel - (size + 2 * spec.pad - pad);
    };
    const std::vector<int64_t> pads{pad, pad, std::max<int64_t>(0, far(x.h, y.h)), std::max<int64_t>(0, far(x.w, y.w))};
    onnx_.add(is_average ? "AveragePool" : "MaxPool", {from}, output(node))
        .integers("kernel_shape", {spec.kernel, spec.kernel})
        .integers("strides", {spec.stride, spec.stride})
        .integers("pads", pads);
  }

  void add(const GraphNode& node, const LocalResponseNorm& spec) {
    if (spec.size % 2 == 0) refuse(node, "a window of an even number of channels has another centre");
    onnx_.add("LRN", {input(node)}, output(node))
        .integer("size", spec.size)
        .real("alpha", spec.alpha)
        .real("beta", spec.beta)
        .real("bias", spec.k);
  }

  void add(const GraphNode& node, const Concat&) {
    std::vector<std::string> inputs;
    for (const int value : node.inputs) inputs.push_back(name(value));
    onnx_.add("Concat", inputs, output(node)).integer("axis", 1);
  }

  // Evaluation has neither.
  void add(const GraphNode& node, const Dropout&) { refuse(node, "it belongs to training"); }
  void add(const GraphNode& node, const SoftmaxLoss&) { refuse(node, "it belongs to training"); }

  [[noreturn]] static void refuse(const GraphNode& node, const char* why) {
    throw UnsupportedError(fmt::format("{}: {} has no counterpart in ONNX: {}", node.name, describe(node.spec), why));
  }

  OnnxGraph onnx_;
  const Graph& graph_;
  exchange::WeightsReader weights_;
  std::vector<std::string> names_;  // the values' names in the model
  std::vector<bool> is_flat_;       // whether a value has the form [n, c]
};

}  // namespace

void export_onnx(const std::string& path, const Parameters& parameters, const OnnxOptions& options) {
  Graph graph = make_graph(parameters.net(), {.batch = 1, .purpose = Purpose::kEvaluateFolded});
  remove_dropout(graph);
  fold_batch_norm(graph);
  onnx::ModelProto model;
  model.set_ir_version(kIrVersion);
  model.set_producer_name("bninception");
  model.set_producer_version(program_version());
  model.add_opset_import()->set_version(kOperatorSet);
  for (const auto& [key, value] : options.metadata) {
    onnx::StringStringEntryProto& entry = *model.add_metadata_props();
    entry.set_key(key);
    entry.set_value(value);
  }
  OnnxWriter(*model.mutable_graph(), graph, parameters, options).write();
  std::string bytes;
  if (!model.SerializeToString(&bytes)) throw UnsupportedError("a file in ONNX's format holds no more than 2 GB");
  write_file(path, bytes);
}

}  // namespace bn
