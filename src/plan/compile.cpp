// compile(): network -> graph -> passes -> ops -> lifetimes -> one arena -> fixed pointers.
#include <fmt/format.h>

#include <algorithm>

#include "bn/error.hpp"
#include "core/regions.hpp"
#include "plan/plan_impl.hpp"

namespace bn {
namespace {

class Compiler {
 public:
  Compiler(const Net& net, Parameters& parameters, Backend& backend, const PlanOptions& options)
      : options_(options), parameters_(parameters), backend_(backend), graph_(make_graph(net, options)) {}

  std::unique_ptr<Plan::Impl> compile();

 private:
  bool is_training() const { return bn::is_training(options_); }
  bool wants_merged_siblings() const {
    switch (options_.passes.merge_siblings) {
      case MergeSiblings::kAlways:
        return true;
      case MergeSiblings::kNever:
        return false;
      case MergeSiblings::kWhereFaster:
        break;
    }
    return backend_.prefers_merged_siblings(options_.activations);
  }

  void run_passes();
  void make_ops();
  OpDesc describe_op(const GraphNode& node) const;
  TensorDesc describe_value(int value) const {
    return {graph_.values[value].dtype, graph_.values[value].shape, graph_.row_stride(value)};
  }
  UnsupportedError batch_does_not_fit(const OutOfMemoryError& error, const std::string& more) const;
  Lifetimes find_lifetimes() const;
  void allocate(Lifetimes& lifetimes);
  void list_calls();
  void make_correction();

  const PlanOptions& options_;
  Parameters& parameters_;
  Backend& backend_;
  Graph graph_;
  BackwardSchedule schedule_;
  std::unique_ptr<Plan::Impl> plan_ = std::make_unique<Plan::Impl>();
  std::vector<int> backward_time_;  // per node; -1: none
};

void Compiler::run_passes() {
  for (GraphNode& node : graph_.nodes) {
    if (auto* loss = std::get_if<SoftmaxLoss>(&node.spec)) loss->weight /= static_cast<float>(options_.parts);
  }
  if (!uses_batch_statistics(options_)) remove_dropout(graph_);
  if (is_training()) use_own_frozen_batch_norm(graph_);
  if (options_.purpose == Purpose::kEvaluateFolded) fold_batch_norm(graph_);
  if (options_.passes.fuse_activation) fuse_activation(graph_);
  if (options_.passes.eliminate_concat) eliminate_concat(graph_);
  if (is_training() && wants_merged_siblings()) merge_siblings(graph_, parameters_);
  pad_images(graph_, backend_);
  if (is_training()) schedule_ = schedule_backward(graph_);
  if (options_.passes.fuse_gradient_sum) fuse_gradient_sum(schedule_, graph_);
}

OpDesc Compiler::describe_op(const GraphNode& node) const {
  const int index = static_cast<int>(&node - graph_.nodes.data());
  const bool is_batch_norm = std::holds_alternative<BatchNorm>(node.spec);
  OpDesc desc{.name = node.name,
              .x = {},
              .y = describe_value(node.output),
              .y_parts = {},
              .phase = (is_batch_norm ? uses_batch_statistics(options_, node) : uses_batch_statistics(options_))
                           ? Phase::kTrain
                           : Phase::kEvaluate,
              .has_backward = backward_time_[index] >= 0,
              .wants_dx = {},
              .exchange = is_training() && !node.is_frozen ? options_.exchange : nullptr};
  for (const int part : node.output_parts) desc.y_parts.push_back(describe_value(part));
  for (int k = 0; k < static_cast<int>(node.inputs.size()); ++k) {
    const int value = node.inputs[k];
    desc.x.push_back(describe_value(value));
    const auto& partials = schedule_.partials;
    desc.wants_dx.push_back(is_training() &&
                            std::any_of(partials[value].begin(), partials[value].end(),
                                        [&](const GradientUse& use) { return use.node == index && use.input == k; }));
  }
  return desc;
}

void Compiler::make_ops() {
  for (const GraphNode& node : graph_.nodes) {
    try {
      const OpDesc desc = describe_op(node);
      std::vector<Shape> x;
      for (const TensorDesc& input : desc.x) x.push_back(input.shape);
      Plan::Impl::Step step;
      step.op = backend_.make_op(node.spec, desc);
      step.is_frozen = node.is_frozen;
      step.info = {.name = node.name,
                   .kind = kind_of(node.spec),
                   .implementation = step.op->implementation(),
                   .multiply_adds = x.size() == 1 ? multiply_adds(node.spec, x) : 0,
                   .x = desc.x,
                   .y = desc.y,
                   .wants_dx = desc.wants_dx,
                   .saved_bytes = is_training() ? step.op->saved_bytes() : 0,
                   .scratch_bytes = step.op->scratch_bytes(),
                   .packed_bytes = step.op->packed_bytes()};
      plan_->steps.push_back(std::move(step));
    } catch (const OutOfMemoryError& error) {
      UnsupportedError refusal = batch_does_not_fit(error, "");
      refusal.add_context(node.name);
      throw refusal;
    } catch (Error& error) {
      error.add_context(node.name);
      throw;
    }
  }
}

UnsupportedError Compiler::batch_does_not_fit(const OutOfMemoryError& error, const std::string& more) const {
  return UnsupportedError(fmt::format("{} A batch of {} does not fit{}.", error.what(), options_.batch, more));
}

Lifetimes Compiler::find_lifetimes() const {
  std::vector<int64_t> saved_bytes;
  for (const auto& step : plan_->steps) saved_bytes.push_back(step.info.saved_bytes);
  return lifetimes_of(graph_, schedule_, backward_time_, saved_bytes, options_);
}

void Compiler::allocate(Lifetimes& lifetimes) {
  PlanMemory& memory = plan_->memory;
  memory.activations = assign_offsets(lifetimes.buffers);
  for (const Lifetime& buffer : lifetimes.buffers) memory.unshared += buffer.bytes;
  for (const auto& step : plan_->steps) {
    memory.scratch = std::max(memory.scratch, step.op->scratch_bytes());
    memory.packed += round_up(step.op->packed_bytes(), kBufferAlignment);
  }
  try {
    plan_->arena = backend_.allocate(memory.activations);
    plan_->scratch = backend_.allocate(memory.scratch);
    plan_->packed = backend_.allocate(memory.packed);
  } catch (const OutOfMemoryError& error) {
    // Activations and scratch grow with the batch, packed weights do not. What is held already would be free again;
    // nine tenths of it all leaves room for the rest.
    const int64_t held = (plan_->arena ? memory.activations : 0) + (plan_->scratch ? memory.scratch : 0);
    const double share = 0.9 * static_cast<double>(error.free_bytes + held - memory.packed) /
                         static_cast<double>(memory.activations + memory.scratch);
    const auto fits = static_cast<int64_t>(share * static_cast<double>(options_.batch));
    throw batch_does_not_fit(error, fits >= 1 && fits < options_.batch ? fmt::format("; about {} would", fits) : "");
  }
  plan_->labels_buffer = backend_.allocate(options_.batch * size_of(DType::kI32));
  plan_->step_state = backend_.allocate(sizeof(StepState));
  const StepState initial;
  backend_.upload(plan_->step_state->data(), &initial, sizeof(initial));
}

void Compiler::list_calls() {
  for (size_t i = 0; i < plan_->steps.size(); ++i) {
    const Plan::Impl::Step& step = plan_->steps[i];
    const OpCall call{.op = step.op.get(), .io = &step.io};
    plan_->packs.push_back(call);
    if (!step.is_frozen) plan_->repacks.push_back(call);
    if (backward_time_[i] >= 0) plan_->unpacks.push_back(call);
  }
}

// Paper: Algorithm 2, step 10: Var[x] = m/(m-1) E[var]; m counts the batch and, where spatial, the positions.
void Compiler::make_correction() {
  const Tensor slab = parameters_.population_slab();
  if (!uses_batch_statistics(options_) || slab.shape.c == 0) return;
  const float share = 1.0F / static_cast<float>(options_.parts);
  std::vector<float> correction(static_cast<size_t>(slab.shape.c), share);
  for (const GraphNode& node : graph_.nodes) {
    const auto* spec = std::get_if<BatchNorm>(&node.spec);
    if (spec == nullptr || node.is_frozen) continue;
    const Shape& x = graph_.values[node.inputs[0]].shape;
    const int64_t parts = is_training() && options_.exchange != nullptr ? spec->synchronised_parts : 1;
    const auto m = static_cast<float>(values_per_feature(*spec, x) * parts);
    for (auto variance = node.state.begin() + node.joined; variance != node.state.end(); ++variance) {
      const auto begin = correction.begin() + parameters_.state_offset(*variance);
      std::fill_n(begin, parameters_.population(*variance).shape.c, m / (m - 1.0F) * share);
    }
  }
  plan_->correction = backend_.allocate(slab.bytes());
  backend_.upload(plan_->correction->data(), correction.data(), slab.bytes());
}

std::unique_ptr<Plan::Impl> Compiler::compile() {
  plan_->options = options_;
  plan_->backend = &backend_;
  plan_->parameters = &parameters_;
  plan_->host_losses.resize(static_cast<size_t>(options_.batch));
  plan_->host_labels.resize(static_cast<size_t>(options_.batch));
  backend_.require(options_.activations);
  run_passes();
  backward_time_ = backward_times(graph_, schedule_);
  make_ops();
  Lifetimes lifetimes = find_lifetimes();
  allocate(lifetimes);
  bind(*plan_, graph_, schedule_, lifetimes);
  list_calls();
  make_correction();
  return std::move(plan_);
}

}  // namespace

Plan compile(const Net& net, Parameters& parameters, Backend& backend, const PlanOptions& options) {
  if (options.batch < 1) throw ShapeError("a plan needs a batch of at least one image");
  return Plan(Compiler(net, parameters, backend, options).compile());
}

}  // namespace bn
