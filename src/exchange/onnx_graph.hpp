// Nodes and tensors of an ONNX graph, a call each.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "exchange/onnx.pb.h"

namespace bn::exchange {

struct IntAttribute {
  const char* name;
  int64_t value;
};
struct IntsAttribute {
  const char* name;
  std::vector<int64_t> values;
};
struct FloatAttribute {
  const char* name;
  float value;
};

// One node with one output; the attributes follow.
class OnnxNode {
 public:
  explicit OnnxNode(onnx::NodeProto& node) : node_(node) {}
  OnnxNode& set(const IntAttribute& attribute);
  OnnxNode& set(const IntsAttribute& attribute);
  OnnxNode& set(const FloatAttribute& attribute);

 private:
  onnx::NodeProto& node_;
};

class OnnxGraph {
 public:
  explicit OnnxGraph(onnx::GraphProto& graph) : graph_(graph) {}

  // A node is named after its output.
  OnnxNode add(const char* type, const std::vector<std::string>& inputs, const std::string& output);
  // A constant of the graph; returns its name.
  std::string constant(const std::string& name, const std::vector<int64_t>& dims, std::span<const float> values);
  std::string constant(const std::string& name, std::span<const int64_t> values);

  // The first dimension is the batch: any number of images.
  void declare_input(const std::string& name, onnx::TensorProto::DataType type, const std::vector<int64_t>& image);
  void declare_output(const std::string& name, const std::vector<int64_t>& image);

 private:
  onnx::GraphProto& graph_;
};

}  // namespace bn::exchange
