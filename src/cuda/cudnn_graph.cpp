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
#include "cuda/error.hpp"
#include "cuda/libraries.hpp"
#include "cuda/memory.hpp"

namespace bn::cuda {
namespace {

namespace fe = cudnn_frontend;
using TensorAttributes = fe::graph::Tensor_attributes;
using TensorPointer = std::shared_ptr<TensorAttributes>;

constexpr int64_t kWorkspaceLimit = int64_t{512} * 1024 * 1024;
constexpr int64_t kMeasuredEngines = 8;
constexpr int kMeasuredRuns = 3;
constexpr int64_t kFirst = 1, kSecond = 2, kResult = 3;  // uids

[[noreturn]] void refuse(const Context& context, const ConvolutionProblem& problem, std::string why) {
  std::replace(why.begin(), why.end(), '\n', ' ');
  throw UnsupportedError(
      fmt::format("cuDNN {} has no deterministic, precompiled engine on {} for the convolution {}: {}",
                  loaded_cudnn_version(), context.device_name, describe(problem), why));
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
  const auto in = [&](int64_t uid, const Shape& shape) { return input(graph, uid, shape, problem.dtype); };
  TensorPointer result;
  Shape shape = problem.y;
  switch (problem.part) {
    case ConvolutionPart::kForward:
      result = graph.conv_fprop(in(kFirst, problem.x), in(kSecond, problem.w),
                                window<fe::graph::Conv_fprop_attributes>(problem));
      break;
    case ConvolutionPart::kInputGradient:
      result = graph.conv_dgrad(in(kFirst, problem.y), in(kSecond, problem.w),
                                window<fe::graph::Conv_dgrad_attributes>(problem));
      shape = problem.x;
      break;
    case ConvolutionPart::kWeightGradient:
      result = graph.conv_wgrad(in(kFirst, problem.y), in(kSecond, problem.x),
                                window<fe::graph::Conv_wgrad_attributes>(problem));
      shape = problem.w;
      break;
  }
  result->set_output(true)
      .set_uid(kResult)
      .set_dim(dims(shape))
      .set_stride(strides(shape))
      .set_data_type(data_type(problem.dtype));
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

struct Graph : fe::graph::Graph {
  using fe::graph::Graph::plans;  // made public: the chosen plan's notes are read
};

constexpr std::pair<fe::NumericalNote_t, const char*> kNotes[] = {
    {fe::NumericalNote_t::TENSOR_CORE, "tensor cores"},
    {fe::NumericalNote_t::DOWN_CONVERT_INPUTS, "rounds its inputs"},
    {fe::NumericalNote_t::REDUCED_PRECISION_REDUCTION, "sums in reduced precision"},
    {fe::NumericalNote_t::FFT, "Fourier transform"},
    {fe::NumericalNote_t::NONDETERMINISTIC, "not deterministic"},
    {fe::NumericalNote_t::WINOGRAD, "Winograd"},
};

}  // namespace

struct PreparedConvolution {
  Graph graph;
  const Context& context;
  int64_t index = -1;
  int64_t workspace_bytes = 0;
  std::string engine;

  // `wanted`: the engine of an earlier process, taken where it is offered; may be null.
  PreparedConvolution(const Context& device, const ConvolutionProblem& problem, const std::string* wanted);
  fe::error_t execute(int64_t candidate, void* result, const void* first, const void* second, void* workspace) const;
  std::vector<std::string> notes() const;

 private:
  void prepare(const ConvolutionProblem& problem);
  void choose_first(const ConvolutionProblem& problem, const std::string* name);
  void choose_quickest(const ConvolutionProblem& problem);
  std::optional<float> milliseconds(int64_t candidate, const std::array<void*, 4>& buffers) const;
};

PreparedConvolution::PreparedConvolution(const Context& device, const ConvolutionProblem& problem,
                                         const std::string* wanted)
    : context(device) {
  const bool can_measure = context.launches == nullptr;
  try {
    prepare(problem);
    if (wanted != nullptr) choose_first(problem, wanted);
    if (index < 0 && can_measure && context.options.convolution_choice == ConvolutionChoice::kMeasured) {
      choose_quickest(problem);
    }
    if (index < 0) choose_first(problem, nullptr);
  } catch (const fe::cudnnException& error) {
    refuse(context, problem, error.what());
  }
  workspace_bytes = graph.get_workspace_size_plan_at_index(index);
  if (graph.get_plan_name_at_index(index, engine).is_bad()) engine = "unnamed";
}

// Engines that are compiled when they are first used are barred. Each takes seconds, and the one that cuDNN 9.26 has
// for weight gradients in f32 of bf16 factors on an H100 does not divide its sum among the multiprocessors.
void PreparedConvolution::prepare(const ConvolutionProblem& problem) {
  graph.set_io_data_type(data_type(problem.dtype))
      .set_intermediate_data_type(fe::DataType_t::FLOAT)
      .set_compute_data_type(fe::DataType_t::FLOAT);
  if (context.described) graph.set_device_properties(context.described);
  add_node(graph, problem);
  const auto require = [&](fe::error_t status) {
    if (status.is_bad()) refuse(context, problem, status.get_message());
  };
  require(graph.validate());
  require(context.described ? graph.build_operation_graph() : graph.build_operation_graph(context.cudnn));
  require(graph.create_execution_plans({fe::HeurMode_t::A, fe::HeurMode_t::FALLBACK}));
  graph.deselect_numeric_notes(barred_notes(context, problem.dtype))
      .deselect_behavior_notes({fe::BehaviorNote_t::RUNTIME_COMPILATION})
      .deselect_workspace_greater_than(kWorkspaceLimit);
}

std::vector<std::string> PreparedConvolution::notes() const {
  const auto chosen = static_cast<size_t>(index);
  std::vector<std::string> texts;
  for (const fe::NumericalNote_t note : graph.plans.numeric_notes[chosen]) {
    for (const auto& [known, text] : kNotes) {
      if (known == note) texts.emplace_back(text);
    }
  }
  for (const fe::BehaviorNote_t note : graph.plans.behavior_notes[chosen]) {
    if (note == fe::BehaviorNote_t::RUNTIME_COMPILATION) texts.emplace_back("compiled at run time");
  }
  return texts;
}

// Takes the first one that can be built, of this name where one is given.
void PreparedConvolution::choose_first(const ConvolutionProblem& problem, const std::string* name) {
  std::string last = "cuDNN names none";
  for (int64_t i = 0; i < graph.get_execution_plan_count(); ++i) {
    std::string offered;
    if (name != nullptr && (graph.get_plan_name_at_index(i, offered).is_bad() || offered != *name)) continue;
    fe::error_t status = graph.build_plan_at_index(i);
    if (status.is_good()) {
      index = i;
      return;
    }
    last = status.get_message();
  }
  if (name == nullptr) refuse(context, problem, last);
}

void PreparedConvolution::choose_quickest(const ConvolutionProblem& problem) {
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
    BN_CUDA(cudaMemsetAsync(memory->data(), 0, static_cast<size_t>(shape.elements() * element), context.compute));
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
  if (index < 0) refuse(context, problem, "none of those it names runs");
}

// The least of a few runs; nothing if the engine does not run.
std::optional<float> PreparedConvolution::milliseconds(int64_t candidate, const std::array<void*, 4>& buffers) const {
  const Event begin(cudaEventDefault), end(cudaEventDefault);
  std::optional<float> least;
  for (int run = 0; run <= kMeasuredRuns; ++run) {
    begin.record(context.compute);
    if (execute(candidate, buffers[0], buffers[1], buffers[2], buffers[3]).is_bad()) return {};
    end.record(context.compute);
    end.wait();
    float time = 0;
    BN_CUDA(cudaEventElapsedTime(&time, begin.get(), end.get()));
    if (run > 0) least = std::min(time, least.value_or(time));  // the first one loads the kernel
  }
  return least;
}

fe::error_t PreparedConvolution::execute(int64_t candidate, void* result, const void* first, const void* second,
                                         void* workspace) const {
  std::unordered_map<int64_t, void*> tensors{
      {kFirst, const_cast<void*>(first)}, {kSecond, const_cast<void*>(second)}, {kResult, result}};
  return graph.execute_plan_at_index(context.cudnn, tensors, workspace, candidate);
}

std::shared_ptr<const fe::DeviceProperties> device_properties(const std::string& json) {
  require_cudnn_version(cudnnGetVersion());
  auto properties = std::make_shared<fe::DeviceProperties>();
  fe::error_t status = properties->deserialize({json.begin(), json.end()});
  if (status.is_good()) return properties;
  if (status.get_message().find("SUBLIBRARY_LOADING_FAILED") != std::string::npos) {
    throw UnsupportedError(fmt::format(
        "A library of cuDNN {} does not load. Newer ones want a libcuda.so.1; where there is no driver, the "
        "toolkit's lib64/stubs/libcuda.so in a folder of LD_LIBRARY_PATH, under that name, will do to plan.",
        loaded_cudnn_version()));
  }
  throw DataError(fmt::format("cuDNN {} does not take this description of a GPU: {} {}", loaded_cudnn_version(),
                              status.get_message(), json));
}

std::vector<PlannedConvolution> planned_convolutions(const Convolutions& convolutions) {
  std::vector<PlannedConvolution> all;
  for (const auto& [problem, prepared] : convolutions.prepared) {
    if (!prepared) continue;
    all.push_back({.problem = problem,
                   .engine = prepared->engine,
                   .workspace_bytes = prepared->workspace_bytes,
                   .notes = prepared->notes()});
  }
  return all;
}

ConvolutionPlan::ConvolutionPlan(const Context& context, const ConvolutionProblem& problem) {
  Convolutions& known = *context.convolutions;
  const std::string name = describe(problem);
  auto& prepared = known.prepared[name];
  if (!prepared) {
    const auto wanted = known.wanted.find(name);
    prepared = std::make_shared<PreparedConvolution>(context, problem,
                                                     wanted == known.wanted.end() ? nullptr : &wanted->second);
    known.chosen[name] = prepared->engine;
  }
  plan_ = prepared;
}

int64_t ConvolutionPlan::workspace_bytes() const { return plan_ ? plan_->workspace_bytes : 0; }
const std::string& ConvolutionPlan::engine() const { return plan_->engine; }

void ConvolutionPlan::run(void* result, const void* first, const void* second, void* workspace) const {
  if (is_only_listed(plan_->context, "cudnn")) return;
  fe::error_t status = plan_->execute(plan_->index, result, first, second, workspace);
  if (status.is_good()) return;
  throw Error(ExitCode::kFailure, fmt::format("cuDNN's {} failed: {}.", plan_->engine, status.get_message()));
}

}  // namespace bn::cuda
