// Stands in for NVIDIA's cudnn-frontend, as far as src/cuda/cudnn_graph.cpp uses it: a graph of one convolution, its
// engines and their plans. simt/cudnn_graph_double.cpp does what the functions say. tests/cudnn_plans plans with the
// real one.
#pragma once

#include <cudnn.h>

#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <unordered_map>
#include <vector>

namespace cudnn_frontend {

// NOLINTBEGIN(readability-identifier-naming): the library's names
enum class DataType_t { NOT_SET, FLOAT, BFLOAT16 };
enum class HeurMode_t { A, FALLBACK };
enum class NumericalNote_t {
  TENSOR_CORE,
  DOWN_CONVERT_INPUTS,
  REDUCED_PRECISION_REDUCTION,
  FFT,
  NONDETERMINISTIC,
  WINOGRAD
};
enum class BehaviorNote_t { RUNTIME_COMPILATION };

struct cudnnException : std::runtime_error {
  using std::runtime_error::runtime_error;
};

struct error_t {
  std::string message{};

  bool is_good() const { return message.empty(); }
  bool is_bad() const { return !message.empty(); }
  const std::string& get_message() const { return message; }
};

class DeviceProperties {
 public:
  error_t deserialize(const std::vector<uint8_t>&) { return {"no device can be described to the double"}; }
};

namespace graph {

using Numbers = std::vector<int64_t>;

struct Tensor_attributes {
  std::string name{};
  int64_t uid = 0;
  Numbers dim{}, stride{};
  DataType_t type = DataType_t::NOT_SET;
  bool is_output = false;

  Tensor_attributes& set_name(std::string value) { return name = std::move(value), *this; }
  Tensor_attributes& set_uid(int64_t value) { return uid = value, *this; }
  Tensor_attributes& set_dim(Numbers value) { return dim = std::move(value), *this; }
  Tensor_attributes& set_stride(Numbers value) { return stride = std::move(value), *this; }
  Tensor_attributes& set_data_type(DataType_t value) { return type = value, *this; }
  Tensor_attributes& set_output(bool value) { return is_output = value, *this; }
};
using Tensor = std::shared_ptr<Tensor_attributes>;

enum class Part { kNone, kForward, kInputGradient, kWeightGradient };

template <Part part>
struct Convolution_attributes {
  Numbers padding{}, stride{}, dilation{};

  Convolution_attributes& set_padding(Numbers value) { return padding = std::move(value), *this; }
  Convolution_attributes& set_stride(Numbers value) { return stride = std::move(value), *this; }
  Convolution_attributes& set_dilation(Numbers value) { return dilation = std::move(value), *this; }
};
using Conv_fprop_attributes = Convolution_attributes<Part::kForward>;
using Conv_dgrad_attributes = Convolution_attributes<Part::kInputGradient>;
using Conv_wgrad_attributes = Convolution_attributes<Part::kWeightGradient>;

struct Built;  // a plan

class Graph {
 public:
  Graph& set_io_data_type(DataType_t type) { return io_ = type, *this; }
  Graph& set_intermediate_data_type(DataType_t type) { return intermediate_ = type, *this; }
  Graph& set_compute_data_type(DataType_t type) { return compute_ = type, *this; }
  Graph& set_device_properties(const std::shared_ptr<const DeviceProperties>&) { return *this; }

  Tensor tensor(const Tensor_attributes& attributes) { return std::make_shared<Tensor_attributes>(attributes); }
  Tensor conv_fprop(const Tensor& x, const Tensor& w, const Conv_fprop_attributes& window) {
    return add_node(x, w, window);
  }
  Tensor conv_dgrad(const Tensor& dy, const Tensor& w, const Conv_dgrad_attributes& window) {
    return add_node(dy, w, window);
  }
  Tensor conv_wgrad(const Tensor& dy, const Tensor& x, const Conv_wgrad_attributes& window) {
    return add_node(dy, x, window);
  }

  error_t validate() const;
  error_t build_operation_graph() const { return {"a graph is built for no device"}; }
  error_t build_operation_graph(cudnnHandle_t handle);
  error_t create_execution_plans(const std::vector<HeurMode_t>& modes);
  Graph& deselect_numeric_notes(const std::vector<NumericalNote_t>& notes);
  Graph& deselect_behavior_notes(const std::vector<BehaviorNote_t>& notes);
  Graph& deselect_workspace_greater_than(int64_t bytes) { return most_workspace_ = bytes, *this; }

  int64_t get_execution_plan_count() const { return static_cast<int64_t>(built_.size()); }
  error_t get_plan_name_at_index(int64_t index, std::string& name) const;
  error_t build_plan_at_index(int64_t index);
  int64_t get_workspace_size_plan_at_index(int64_t index) const;
  error_t execute_plan_at_index(cudnnHandle_t handle, std::unordered_map<int64_t, void*>& tensors, void* workspace,
                                int64_t index) const;

 protected:
  struct Plans {
    std::vector<std::vector<NumericalNote_t>> numeric_notes{};
    std::vector<std::vector<BehaviorNote_t>> behavior_notes{};
  };
  Plans plans{};

 private:
  template <Part part>
  Tensor add_node(const Tensor& first, const Tensor& second, const Convolution_attributes<part>& window) {
    if (part_ != Part::kNone) throw std::logic_error("The double plays graphs of one node.");
    part_ = part;
    padding_ = window.padding, stride_ = window.stride, dilation_ = window.dilation;
    tensors_ = {first, second, std::make_shared<Tensor_attributes>()};
    return tensors_[2];
  }

  Part part_ = Part::kNone;
  std::vector<Tensor> tensors_{};  // first, second, result
  Numbers padding_{}, stride_{}, dilation_{};
  DataType_t io_ = DataType_t::NOT_SET, intermediate_ = DataType_t::NOT_SET, compute_ = DataType_t::NOT_SET;
  cudnnHandle_t handle_ = nullptr;  // that the graph was built for
  std::vector<bool> barred_{};      // engines
  int64_t most_workspace_ = 0;
  std::vector<std::shared_ptr<const Built>> built_{};
};

}  // namespace graph
// NOLINTEND(readability-identifier-naming)
}  // namespace cudnn_frontend
