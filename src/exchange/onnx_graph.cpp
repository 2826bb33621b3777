#include "exchange/onnx_graph.hpp"

#include <bit>

namespace bn::exchange {
namespace {

static_assert(std::endian::native == std::endian::little, "ONNX stores little-endian values");

onnx::TensorProto& add_tensor(onnx::GraphProto& graph, const std::string& name, onnx::TensorProto::DataType type,
                              const std::vector<int64_t>& dims) {
  onnx::TensorProto& tensor = *graph.add_initializer();
  tensor.set_name(name);
  tensor.set_data_type(type);
  for (const int64_t dim : dims) tensor.add_dims(dim);
  return tensor;
}

void declare(onnx::ValueInfoProto& value, const std::string& name, onnx::TensorProto::DataType type,
             const std::vector<int64_t>& image) {
  value.set_name(name);
  onnx::TypeProto::Tensor& tensor = *value.mutable_type()->mutable_tensor_type();
  tensor.set_elem_type(type);
  tensor.mutable_shape()->add_dim()->set_dim_param("batch");
  for (const int64_t dim : image) tensor.mutable_shape()->add_dim()->set_dim_value(dim);
}

}  // namespace

OnnxNode& OnnxNode::set(const IntAttribute& attribute) {
  onnx::AttributeProto& added = *node_.add_attribute();
  added.set_name(attribute.name);
  added.set_type(onnx::AttributeProto::INT);
  added.set_i(attribute.value);
  return *this;
}

OnnxNode& OnnxNode::set(const IntsAttribute& attribute) {
  onnx::AttributeProto& added = *node_.add_attribute();
  added.set_name(attribute.name);
  added.set_type(onnx::AttributeProto::INTS);
  for (const int64_t value : attribute.values) added.add_ints(value);
  return *this;
}

OnnxNode& OnnxNode::set(const FloatAttribute& attribute) {
  onnx::AttributeProto& added = *node_.add_attribute();
  added.set_name(attribute.name);
  added.set_type(onnx::AttributeProto::FLOAT);
  added.set_f(attribute.value);
  return *this;
}

OnnxNode OnnxGraph::add(const char* type, const std::vector<std::string>& inputs, const std::string& output) {
  onnx::NodeProto& node = *graph_.add_node();
  node.set_name(output);
  node.set_op_type(type);
  for (const std::string& input : inputs) node.add_input(input);
  node.add_output(output);
  return OnnxNode(node);
}

std::string OnnxGraph::constant(const std::string& name, const std::vector<int64_t>& dims,
                                std::span<const float> values) {
  onnx::TensorProto& tensor = add_tensor(graph_, name, onnx::TensorProto::FLOAT, dims);
  tensor.set_raw_data(values.data(), values.size_bytes());
  return name;
}

std::string OnnxGraph::constant(const std::string& name, std::span<const int64_t> values) {
  onnx::TensorProto& tensor = add_tensor(graph_, name, onnx::TensorProto::INT64, {static_cast<int64_t>(values.size())});
  tensor.set_raw_data(values.data(), values.size_bytes());
  return name;
}

void OnnxGraph::declare_input(const std::string& name, onnx::TensorProto::DataType type,
                              const std::vector<int64_t>& image) {
  declare(*graph_.add_input(), name, type, image);
}

void OnnxGraph::declare_output(const std::string& name, const std::vector<int64_t>& image) {
  declare(*graph_.add_output(), name, onnx::TensorProto::FLOAT, image);
}

}  // namespace bn::exchange
