// compile(): network -> graph -> passes -> ops -> lifetimes -> one arena -> fixed pointers.
#include <fmt/format.h>

#include <algorithm>

#include "bn/error.hpp"
#include "core/op_checks.hpp"
#include "plan/graph.hpp"
#include "plan/plan_impl.hpp"

namespace bn {
namespace {

constexpr const char* kImages = "images";  // the name of the input value

class Compiler {
 public:
  Compiler(const Net& net, Parameters& parameters, Backend& backend, const PlanOptions& options)
      : options_(options), parameters_(parameters), backend_(backend), graph_(make_graph(net, options)) {}

  std::unique_ptr<Plan::Impl> compile();

 private:
  bool is_training() const { return options_.purpose == Purpose::kTrain; }
  bool uses_batch_statistics() const { return is_training() || options_.purpose == Purpose::kStatistics; }
  bool uses_batch_statistics(const GraphNode& node) const { return uses_batch_statistics() && !node.is_frozen; }
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
  int end_time() const { return static_cast<int>(graph_.nodes.size() + schedule_.steps.size()); }
  Tensor tensor(int buffer, int value) const;
  bool is_kept(const std::string& name) const {
    return std::find(options_.keep.begin(), options_.keep.end(), name) != options_.keep.end();
  }
  Tensor slice(const Tensor& whole, int view) const;
  Tensor gradient(int value) const;

  void run_passes();
  void make_ops();
  OpDesc describe_op(const GraphNode& node) const;
  TensorDesc describe_value(int value) const {
    return {graph_.values[value].dtype, graph_.values[value].shape, graph_.row_stride(value)};
  }
  std::vector<int> backward_times() const;
  int add_buffer(int64_t bytes, int first, int last);
  void place_values();
  void place_gradients();
  void place_saved();
  UnsupportedError batch_does_not_fit(const OutOfMemoryError& error, const std::string& more) const;
  void allocate();
  void bind_values();
  void bind_gradients();
  void bind_parameters(OpIo& io, const GraphNode& node);
  void bind_steps();
  void bind_backward();
  void bind_sum(Plan::Impl::BackwardItem& item, const BackwardStep& step, StepInfo& producer);
  void list_calls();
  void make_correction();

  const PlanOptions& options_;
  Parameters& parameters_;
  Backend& backend_;
  Graph graph_;
  BackwardSchedule schedule_;
  std::unique_ptr<Plan::Impl> plan_ = std::make_unique<Plan::Impl>();

  std::vector<int> backward_time_;  // per node; -1: none
  std::vector<Lifetime> buffers_;
  std::vector<int> value_buffer_;                  // per value; -1: none
  std::vector<std::vector<int>> gradient_buffer_;  // per value, per partial
  std::vector<int> saved_buffer_;                  // per node; -1: none
  std::vector<Tensor> values_;
  std::vector<std::vector<Tensor>> gradients_;  // per value, per partial; [0] becomes the sum
};

void Compiler::run_passes() {
  for (GraphNode& node : graph_.nodes) {
    if (auto* loss = std::get_if<SoftmaxLoss>(&node.spec)) loss->weight /= static_cast<float>(options_.parts);
  }
  if (!uses_batch_statistics()) remove_dropout(graph_);
  if (is_training()) use_own_frozen_batch_norm(graph_);
  if (options_.purpose == Purpose::kEvaluateFolded) fold_batch_norm(graph_);
  if (options_.passes.fuse_activation) fuse_activation(graph_, backend_);
  if (options_.passes.eliminate_concat) eliminate_concat(graph_, backend_);
  if (is_training() && wants_merged_siblings()) merge_siblings(graph_, backend_, parameters_);
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
              .phase = (is_batch_norm ? uses_batch_statistics(node) : uses_batch_statistics()) ? Phase::kTrain
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

std::vector<int> Compiler::backward_times() const {
  std::vector<int> times(graph_.nodes.size(), -1);
  for (size_t i = 0; i < schedule_.steps.size(); ++i) {
    if (schedule_.steps[i].node >= 0) times[schedule_.steps[i].node] = static_cast<int>(graph_.nodes.size() + i);
  }
  return times;
}

int Compiler::add_buffer(int64_t bytes, int first, int last) {
  if (!options_.passes.share_memory) {  // the images are written before time 0
    first = -1;
    last = end_time();
  }
  buffers_.push_back({.bytes = bytes, .first = first, .last = std::max(first, last), .offset = 0});
  return static_cast<int>(buffers_.size()) - 1;
}

// A value lives from its producer to its last reader, forward or backward. The images are written before time 0.
void Compiler::place_values() {
  constexpr int kAbsent = -2;
  std::vector<int> first(graph_.values.size(), kAbsent), last(graph_.values.size(), kAbsent);
  first[graph_.images] = -1;
  last[graph_.images] = is_kept(kImages) ? end_time() : 0;
  for (int i = 0; i < static_cast<int>(graph_.nodes.size()); ++i) {
    const GraphNode& node = graph_.nodes[i];
    for (const int output : node.written()) first[output] = last[output] = i;
    const BackwardReads reads = backward_reads(node.spec);
    for (const int input : node.inputs) last[input] = std::max({last[input], i, reads.x ? backward_time_[i] : i});
  }
  for (int i = 0; i < static_cast<int>(graph_.nodes.size()); ++i) {
    const bool is_loss = std::holds_alternative<SoftmaxLoss>(graph_.nodes[i].spec);
    for (const int output : graph_.nodes[i].written()) {
      if (backward_reads(graph_.nodes[i].spec).y) last[output] = std::max(last[output], backward_time_[i]);
      if (output == graph_.logits || is_loss) last[output] = end_time();
    }
  }
  for (size_t v = 0; v < graph_.values.size(); ++v) {
    if (is_kept(graph_.values[v].name))
      last[v] = last[static_cast<size_t>(graph_.root(static_cast<int>(v)))] = end_time();
  }
  for (int v = 0; v < static_cast<int>(graph_.values.size()); ++v) {
    const int root = graph_.root(v);
    if (root == v || first[v] == kAbsent) continue;
    first[root] = first[root] == kAbsent ? first[v] : std::min(first[root], first[v]);
    last[root] = std::max(last[root], last[v]);
  }
  value_buffer_.assign(graph_.values.size(), -1);
  for (size_t v = 0; v < graph_.values.size(); ++v) {
    const bool is_view = graph_.values[v].view_of >= 0;
    if (static_cast<int>(v) == graph_.labels || first[v] == kAbsent || is_view) continue;
    const GraphValue& value = graph_.values[v];
    const int64_t elements = value.shape.rows() * graph_.row_stride(static_cast<int>(v));
    value_buffer_[v] = add_buffer(elements * size_of(value.dtype), first[v], last[v]);
  }
}

// A partial gradient lives from its consumer's backward to the sum; the first one holds the sum and lives on to the
// producer's backward. An op that sums writes into the first, too: it reads each element where it writes it.
void Compiler::place_gradients() {
  gradient_buffer_.resize(graph_.values.size());
  if (!is_training()) return;
  std::vector<int> sum_time(graph_.values.size(), -1), producer_time(graph_.values.size(), -1);
  std::vector<int> sum_node(graph_.values.size(), -1);
  for (size_t i = 0; i < schedule_.steps.size(); ++i) {
    const int time = static_cast<int>(graph_.nodes.size() + i);
    const BackwardStep& step = schedule_.steps[i];
    if (step.sum_value >= 0) sum_time[step.sum_value] = time;
    if (step.sum_value >= 0) sum_node[step.sum_value] = step.node;
    if (step.node < 0) continue;
    for (const int output : graph_.nodes[step.node].written()) producer_time[graph_.root(output)] = time;
  }
  for (size_t v = 0; v < graph_.values.size(); ++v) {
    const GraphValue& value = graph_.values[v];
    for (size_t k = 0; k < schedule_.partials[v].size(); ++k) {
      const int node = schedule_.partials[v][k].node, first = backward_time_[node];
      const int last = k == 0 ? producer_time[v] : sum_time[v];
      gradient_buffer_[v].push_back(node == sum_node[v]
                                        ? gradient_buffer_[v][0]
                                        : add_buffer(value.shape.elements() * size_of(value.dtype), first, last));
    }
  }
}

void Compiler::place_saved() {
  saved_buffer_.assign(graph_.nodes.size(), -1);
  for (size_t i = 0; i < graph_.nodes.size(); ++i) {
    const int64_t bytes = is_training() ? plan_->steps[i].op->saved_bytes() : 0;
    if (bytes > 0) saved_buffer_[i] = add_buffer(bytes, static_cast<int>(i), backward_time_[i]);
  }
}

UnsupportedError Compiler::batch_does_not_fit(const OutOfMemoryError& error, const std::string& more) const {
  return UnsupportedError(fmt::format("{} A batch of {} does not fit{}.", error.what(), options_.batch, more));
}

void Compiler::allocate() {
  PlanMemory& memory = plan_->memory;
  memory.activations = assign_offsets(buffers_);
  for (const Lifetime& buffer : buffers_) memory.unshared += buffer.bytes;
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

Tensor Compiler::tensor(int buffer, int value) const {
  if (buffer < 0) return {};
  const GraphValue& described = graph_.values[value];
  return {.data = static_cast<char*>(plan_->arena->data()) + buffers_[buffer].offset,
          .dtype = described.dtype,
          .shape = described.shape,
          .row_stride = graph_.row_stride(value)};
}

// The part of a whole value's tensor that the view covers.
Tensor Compiler::slice(const Tensor& whole, int view) const {
  const GraphValue& described = graph_.values[view];
  if (!whole || described.view_of < 0) return whole;
  return {.data = static_cast<char*>(whole.data) + described.view_channel * size_of(whole.dtype),
          .dtype = whole.dtype,
          .shape = described.shape,
          .row_stride = whole.row_stride};
}

Tensor Compiler::gradient(int value) const {
  const auto& partials = gradients_[graph_.root(value)];
  return partials.empty() ? Tensor{} : slice(partials[0], value);
}

void Compiler::bind_values() {
  const auto count = static_cast<int>(graph_.values.size());
  for (int v = 0; v < count; ++v) values_.push_back(tensor(value_buffer_[v], v));
  for (int v = 0; v < count; ++v) {
    if (graph_.root(v) != v) values_[v] = slice(values_[graph_.root(v)], v);
  }
  const GraphValue& labels = graph_.values[graph_.labels];
  values_[graph_.labels] = dense(plan_->labels_buffer->data(), DType::kI32, labels.shape);
  plan_->images = values_[graph_.images];
  plan_->labels = values_[graph_.labels];
  plan_->logits = values_[graph_.logits];
  for (const GraphNode& node : graph_.nodes) {
    if (std::holds_alternative<SoftmaxLoss>(node.spec) && node.inputs[0] == graph_.logits) {
      plan_->losses = values_[node.output];
    }
  }
  for (const std::string& name : options_.keep) {
    if (name == kImages) continue;
    // The value is looked for, since a pass may have removed its op and let others write it.
    const auto found = std::find_if(graph_.values.begin(), graph_.values.end(),
                                    [&](const GraphValue& value) { return value.name == name; });
    if (found == graph_.values.end()) throw ConfigError(fmt::format("the network has no op \"{}\" to keep", name));
    const Tensor& kept = values_[static_cast<size_t>(found - graph_.values.begin())];
    if (!kept) throw ConfigError(fmt::format("the output of \"{}\" cannot be kept: the op is part of the next", name));
    plan_->kept[name] = kept;
  }
}

void Compiler::bind_gradients() {
  gradients_.resize(graph_.values.size());
  for (int v = 0; v < static_cast<int>(graph_.values.size()); ++v) {
    for (const int buffer : gradient_buffer_[v]) gradients_[v].push_back(tensor(buffer, v));
  }
}

// Adds the tensor that follows in the slab: outputs of a convolution's weights, or channels of a vector.
void join(Tensor& tensor, const Tensor& next, const OpSpec& spec) {
  if (std::holds_alternative<Conv2d>(spec)) {
    tensor.shape.n += next.shape.n;
    return;
  }
  tensor.shape.c += next.shape.c;
  tensor.row_stride = tensor.shape.c;
}

void Compiler::bind_parameters(OpIo& io, const GraphNode& node) {
  const auto bind = [&](std::vector<Tensor>& to, const std::vector<int>& indices, const auto& tensor_of) {
    for (size_t first = 0; first < indices.size(); first += static_cast<size_t>(node.joined)) {
      to.push_back(tensor_of(indices[first]));
      for (size_t k = 1; k < static_cast<size_t>(node.joined); ++k)
        join(to.back(), tensor_of(indices[first + k]), node.spec);
    }
  };
  bind(io.w, node.parameters, [&](int parameter) { return parameters_.value(parameter, options_.weights); });
  bind(io.dw, node.parameters,
       [&](int parameter) { return is_training() ? parameters_.gradient(parameter) : Tensor{}; });
  bind(io.state, node.state, [&](int state) {
    return uses_batch_statistics(node) ? parameters_.batch_state(state) : parameters_.population(state);
  });
}

void Compiler::bind_steps() {
  char* packed = static_cast<char*>(plan_->packed->data());
  for (size_t i = 0; i < graph_.nodes.size(); ++i) {
    const GraphNode& node = graph_.nodes[i];
    Plan::Impl::Step& step = plan_->steps[i];
    OpIo& io = step.io;
    for (int k = 0; k < static_cast<int>(node.inputs.size()); ++k) {
      const int value = node.inputs[k];
      io.x.push_back(values_[value]);
      io.dx.emplace_back();
      if (!is_training()) continue;
      const auto& partials = schedule_.partials[value];
      for (size_t p = 0; p < partials.size(); ++p) {
        if (partials[p].node == static_cast<int>(i) && partials[p].input == k) io.dx.back() = gradients_[value][p];
      }
    }
    bind_parameters(io, node);
    io.y = values_[node.output];
    io.dy = gradient(node.output);
    for (const int part : node.output_parts) {
      io.y_parts.push_back(values_[part]);
      io.dy_parts.push_back(gradient(part));
    }
    if (saved_buffer_[i] >= 0) {
      io.saved = static_cast<char*>(plan_->arena->data()) + buffers_[saved_buffer_[i]].offset;
    }
    io.scratch = plan_->scratch->data();
    if (step.op->packed_bytes() > 0) io.packed = packed;
    packed += round_up(step.op->packed_bytes(), kBufferAlignment);
    io.step = static_cast<StepState*>(plan_->step_state->data());
  }
}

void Compiler::bind_backward() {
  std::vector<int> producer(graph_.values.size(), -1);
  for (size_t i = 0; i < graph_.nodes.size(); ++i) {
    for (const int output : graph_.nodes[i].written()) producer[graph_.root(output)] = static_cast<int>(i);
  }
  for (const BackwardStep& step : schedule_.steps) {
    Plan::Impl::BackwardItem item{.step = step.node, .sum_dst = {}, .sum_srcs = {}};
    if (step.sum_value >= 0) bind_sum(item, step, plan_->steps[static_cast<size_t>(producer[step.sum_value])].info);
    if (step.node < 0) item.step = producer[step.sum_value];
    plan_->backward.push_back(std::move(item));
  }
}

void Compiler::bind_sum(Plan::Impl::BackwardItem& item, const BackwardStep& step, StepInfo& producer) {
  const std::vector<Tensor>& terms = gradients_[step.sum_value];
  try {
    require_sum_terms(terms.size());
  } catch (Error& error) {
    error.add_context("gradient of " + producer.name);
    throw;
  }
  if (step.node < 0) {
    item.sum_dst = terms[0];
    item.sum_srcs = terms;
    producer.gradient_terms = static_cast<int>(terms.size());
    return;
  }
  Plan::Impl::Step& adder = plan_->steps[static_cast<size_t>(step.node)];
  adder.io.dx_terms.assign(terms.begin(), terms.end() - 1);  // the last is the adder's own
  adder.info.added_terms = static_cast<int>(adder.io.dx_terms.size());
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
  if (!uses_batch_statistics() || slab.shape.c == 0) return;
  const float share = 1.0F / static_cast<float>(options_.parts);
  std::vector<float> correction(static_cast<size_t>(slab.shape.c), share);
  for (const GraphNode& node : graph_.nodes) {
    const auto* spec = std::get_if<BatchNorm>(&node.spec);
    if (spec == nullptr || node.is_frozen) continue;
    const Shape& x = graph_.values[node.inputs[0]].shape;
    const int64_t parts = is_training() && options_.exchange != nullptr ? spec->synchronised_parts : 1;
    const auto m = static_cast<float>((spec->scope == BatchNormScope::kSpatial ? x.rows() : x.n) * parts);
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
  backward_time_ = backward_times();
  make_ops();
  place_values();
  place_gradients();
  place_saved();
  allocate();
  bind_values();
  bind_gradients();
  bind_steps();
  bind_backward();
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
