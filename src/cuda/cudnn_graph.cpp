// The only file that sees cudnn-frontend: a graph of one node, its engines filtered by their numerical notes, one
// chosen.
#define CUDNN_FRONTEND_SKIP_JSON_LIB
#include "cuda/cudnn_graph.hpp"

#include <cudnn_frontend.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>
#include <unordered_map>
#include <vector>

#include "bn/error.hpp"
#include "cuda/device_memory.hpp"
#include "cuda/error.hpp"

namespace bn::cuda {
namespace {

namespace fe = cudnn_frontend;
using TensorAttributes = fe::graph::Tensor_attributes;
using TensorPointer = std::shared_ptr<TensorAttributes>;

constexpr int64_t kWorkspaceLimit = int64_t{512} * 1024 * 1024;
constexpr int64_t kMeasuredEngines = 8;
constexpr int kMeasuredRuns = 3;
constexpr int64_t kFirst = 1, kSecond = 2, kResult = 3;  // uids

const char* name_of(ConvolutionPart part) {
  switch (part) {
    case ConvolutionPart::kForward:
      return "forward pass";
    case ConvolutionPart::kInputGradient:
      return "input gradient";
    case ConvolutionPart::kWeightGradient:
      break;
  }
  return "weight gradient";
}

[[noreturn]] void refuse(const ConvolutionProblem& problem, std::string why) {
  std::replace(why.begin(), why.end(), '\n', ' ');
  throw UnsupportedError(fmt::format(
      "cuDNN has no deterministic engine for the {} of a convolution {}x{}/{} pad {} from {} {} to {} (weights in {}): "
      "{}",
      name_of(problem.part), problem.w.h, problem.w.w, problem.stride, problem.pad, bn::name_of(problem.dtype),
      to_string(problem.x), to_string(problem.y), bn::name_of(problem.w_dtype), why));
}

fe::DataType_t data_type(DType dtype) {
  return dtype == DType::kBf16 ? fe::DataType_t::BFLOAT16 : fe::DataType_t::FLOAT;
}

// cuDNN counts in the order n, c, h, w whatever the layout; ohwi weights are the same with n = o, c = i.
std::vector<int64_t> dims(const Shape& shape) { return {shape.n, shape.c, shape.h, shape.w}; }
std::vector<int64_t> strides(const Shape& shape) {
  return {shape.h * shape.w * shape.c, 1, shape.w * shape.c, shape.c};
}

TensorPointer input(fe::graph::Graph& graph, int64_t uid, const Shape& shape, DType dtype) {
  return graph.tensor(TensorAttributes()
                          .set_name(fmt::format("input{}", uid))
                          .set_uid(uid)
                          .set_dim(dims(shape))
                          .set_stride(strides(shape))
                          .set_data_type(data_type(dtype)));
}

template <class Attributes>
Attributes window(const ConvolutionProblem& problem) {
  return Attributes()
      .set_padding({problem.pad, problem.pad})
      .set_stride({problem.stride, problem.stride})
      .set_dilation({1, 1});
}

void add_node(fe::graph::Graph& graph, const ConvolutionProblem& problem) {
  TensorPointer result;
  Shape shape = problem.y;
  DType dtype = problem.dtype;
  switch (problem.part) {
    case ConvolutionPart::kForward:
      result = graph.conv_fprop(input(graph, kFirst, problem.x, problem.dtype),
                                input(graph, kSecond, problem.w, problem.w_dtype),
                                window<fe::graph::Conv_fprop_attributes>(problem));
      break;
    case ConvolutionPart::kInputGradient:
      result = graph.conv_dgrad(input(graph, kFirst, problem.y, problem.dtype),
                                input(graph, kSecond, problem.w, problem.w_dtype),
                                window<fe::graph::Conv_dgrad_attributes>(problem));
      shape = problem.x;
      break;
    case ConvolutionPart::kWeightGradient:
      result = graph.conv_wgrad(input(graph, kFirst, problem.y, problem.dtype),
                                input(graph, kSecond, problem.x, problem.dtype),
                                window<fe::graph::Conv_wgrad_attributes>(problem));
      shape = problem.w;
      dtype = problem.w_dtype;
      break;
  }
  result->set_output(true)
      .set_uid(kResult)
      .set_dim(dims(shape))
      .set_stride(strides(shape))
      .set_data_type(data_type(dtype));
}

// The numerical notes that an engine may not have. Tensor cores multiply f32 as TF32.
std::vector<fe::NumericalNote_t> barred_notes(const Context& context, DType dtype) {
  using Note = fe::NumericalNote_t;
  std::vector<Note> notes{Note::NONDETERMINISTIC, Note::DOWN_CONVERT_INPUTS, Note::REDUCED_PRECISION_REDUCTION};
  if (dtype == DType::kF32 && context.options.float32_math == Float32Math::kExact) {
    for (const Note note : {Note::TENSOR_CORE, Note::FFT, Note::WINOGRAD}) notes.push_back(note);
  }
  return notes;
}

class Event {
 public:
  Event() { BN_CUDA(cudaEventCreate(&event_)); }
  ~Event() { cudaEventDestroy(event_); }
  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;
  cudaEvent_t get() const { return event_; }

 private:
  cudaEvent_t event_ = nullptr;
};

}  // namespace

struct ConvolutionPlan::Plan {
  fe::graph::Graph graph;
  cudnnHandle_t handle = nullptr;
  cudaStream_t stream = nullptr;
  int64_t index = -1;
  int64_t workspace_bytes = 0;
  std::string engine;

  Plan(const Context& context, const ConvolutionProblem& problem);
  fe::error_t execute(int64_t candidate, void* result, const void* first, const void* second, void* workspace) const;

 private:
  void prepare(const Context& context, const ConvolutionProblem& problem);
  void choose_first(const ConvolutionProblem& problem);
  void choose_quickest(const ConvolutionProblem& problem);
  std::optional<float> milliseconds(int64_t candidate, const std::array<void*, 4>& buffers) const;
};

ConvolutionPlan::Plan::Plan(const Context& context, const ConvolutionProblem& problem)
    : handle(context.cudnn), stream(context.compute) {
  try {
    prepare(context, problem);
    if (context.options.convolution_choice == ConvolutionChoice::kMeasured) {
      choose_quickest(problem);
    } else {
      choose_first(problem);
    }
  } catch (const fe::cudnnException& error) {
    refuse(problem, error.what());
  }
  workspace_bytes = graph.get_workspace_size_plan_at_index(index);
  if (graph.get_plan_name_at_index(index, engine).is_bad()) engine = "unnamed";
}

void ConvolutionPlan::Plan::prepare(const Context& context, const ConvolutionProblem& problem) {
  graph.set_io_data_type(data_type(problem.dtype))
      .set_intermediate_data_type(fe::DataType_t::FLOAT)
      .set_compute_data_type(fe::DataType_t::FLOAT);
  add_node(graph, problem);
  const auto require = [&](fe::error_t status) {
    if (status.is_bad()) refuse(problem, status.get_message());
  };
  require(graph.validate());
  require(graph.build_operation_graph(handle));
  require(graph.create_execution_plans({fe::HeurMode_t::A, fe::HeurMode_t::FALLBACK}));
  graph.deselect_numeric_notes(barred_notes(context, problem.dtype)).deselect_workspace_greater_than(kWorkspaceLimit);
}

void ConvolutionPlan::Plan::choose_first(const ConvolutionProblem& problem) {
  std::string last = "cuDNN names none";
  for (int64_t i = 0; i < graph.get_execution_plan_count(); ++i) {
    fe::error_t status = graph.build_plan_at_index(i);
    if (status.is_good()) {
      index = i;
      return;
    }
    last = status.get_message();
  }
  refuse(problem, last);
}

void ConvolutionPlan::Plan::choose_quickest(const ConvolutionProblem& problem) {
  std::vector<int64_t> candidates;
  int64_t workspace = 0;
  for (int64_t i = 0; i < graph.get_execution_plan_count(); ++i) {
    if (static_cast<int64_t>(candidates.size()) == kMeasuredEngines) break;
    if (graph.build_plan_at_index(i).is_bad()) continue;
    candidates.push_back(i);
    workspace = std::max(workspace, graph.get_workspace_size_plan_at_index(i));
  }
  const int64_t element = size_of(DType::kF32);  // the widest
  const DeviceMemory x(problem.x.elements() * element), w(problem.w.elements() * element),
      y(problem.y.elements() * element), space(workspace);
  for (const auto& [memory, shape] : {std::pair{&x, problem.x}, std::pair{&w, problem.w}, std::pair{&y, problem.y}}) {
    BN_CUDA(cudaMemsetAsync(memory->data(), 0, static_cast<size_t>(shape.elements() * element), stream));
  }
  std::array<void*, 4> buffers{y.data(), x.data(), w.data(), space.data()};  // result, first, second, workspace
  if (problem.part == ConvolutionPart::kInputGradient) buffers = {x.data(), y.data(), w.data(), space.data()};
  if (problem.part == ConvolutionPart::kWeightGradient) buffers = {w.data(), y.data(), x.data(), space.data()};
  float least = 0;
  for (const int64_t candidate : candidates) {
    const std::optional<float> time = milliseconds(candidate, buffers);
    if (!time || (index >= 0 && *time >= least)) continue;
    index = candidate;
    least = *time;
  }
  if (index < 0) refuse(problem, "none of those it names runs");
}

// The least of a few runs; nothing if the engine does not run.
std::optional<float> ConvolutionPlan::Plan::milliseconds(int64_t candidate, const std::array<void*, 4>& buffers) const {
  const Event begin, end;
  std::optional<float> least;
  for (int run = 0; run <= kMeasuredRuns; ++run) {
    BN_CUDA(cudaEventRecord(begin.get(), stream));
    if (execute(candidate, buffers[0], buffers[1], buffers[2], buffers[3]).is_bad()) return {};
    BN_CUDA(cudaEventRecord(end.get(), stream));
    BN_CUDA(cudaEventSynchronize(end.get()));
    float time = 0;
    BN_CUDA(cudaEventElapsedTime(&time, begin.get(), end.get()));
    if (run > 0) least = std::min(time, least.value_or(time));  // the first one loads the kernel
  }
  return least;
}

fe::error_t ConvolutionPlan::Plan::execute(int64_t candidate, void* result, const void* first, const void* second,
                                           void* workspace) const {
  std::unordered_map<int64_t, void*> tensors{
      {kFirst, const_cast<void*>(first)}, {kSecond, const_cast<void*>(second)}, {kResult, result}};
  return graph.execute_plan_at_index(handle, tensors, workspace, candidate);
}

ConvolutionPlan::ConvolutionPlan() = default;
ConvolutionPlan::ConvolutionPlan(const Context& context, const ConvolutionProblem& problem)
    : plan_(std::make_unique<Plan>(context, problem)) {}
ConvolutionPlan::~ConvolutionPlan() = default;
ConvolutionPlan::ConvolutionPlan(ConvolutionPlan&&) noexcept = default;
ConvolutionPlan& ConvolutionPlan::operator=(ConvolutionPlan&&) noexcept = default;

int64_t ConvolutionPlan::workspace_bytes() const { return plan_ ? plan_->workspace_bytes : 0; }
const std::string& ConvolutionPlan::engine() const { return plan_->engine; }

void ConvolutionPlan::run(void* result, const void* first, const void* second, void* workspace) const {
  fe::error_t status = plan_->execute(plan_->index, result, first, second, workspace);
  if (status.is_good()) return;
  throw Error(ExitCode::kFailure, fmt::format("cuDNN's {} failed: {}.", plan_->engine, status.get_message()));
}

}  // namespace bn::cuda
