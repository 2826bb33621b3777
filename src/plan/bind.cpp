#include "plan/plan_impl.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "bn/error.hpp"
#include "core/op_checks.hpp"
#include "core/regions.hpp"

namespace bn {
namespace {

// Adds the tensor that follows in the slab: outputs of a convolution's weights, or channels of a vector.
void join(Tensor& tensor, const Tensor& next, const OpSpec& spec) {
  if (std::holds_alternative<Conv2d>(spec)) {
    tensor.shape.n += next.shape.n;
    return;
  }
  tensor.shape.c += next.shape.c;
  tensor.row_stride = tensor.shape.c;
}

class Binder {
 public:
  Binder(Plan::Impl& plan, const Graph& graph, const BackwardSchedule& schedule, const Lifetimes& lifetimes)
      : plan_(plan), graph_(graph), schedule_(schedule), lifetimes_(lifetimes) {}

  void bind() {
    bind_values();
    bind_gradients();
    show_values();
    bind_steps();
    bind_backward();
  }

 private:
  Tensor tensor(int buffer, int value) const;
  Tensor slice(const Tensor& whole, int view) const;
  Tensor gradient(int value) const;
  void bind_values();
  void bind_gradients();
  void show_values();
  void bind_inputs(OpIo& io, int node);
  void bind_parameters(OpIo& io, const GraphNode& node);
  void bind_steps();
  void bind_backward();
  void bind_sum(Plan::Impl::BackwardItem& item, const BackwardStep& step, StepInfo& producer);

  Plan::Impl& plan_;
  const Graph& graph_;
  const BackwardSchedule& schedule_;
  const Lifetimes& lifetimes_;
  std::vector<Tensor> values_;
  std::vector<std::vector<Tensor>> gradients_;  // per value, per partial; [0] becomes the sum
};

Tensor Binder::tensor(int buffer, int value) const {
  if (buffer < 0) return {};
  const GraphValue& described = graph_.values[value];
  return {.data = static_cast<char*>(plan_.arena->data()) + lifetimes_.buffers[buffer].offset,
          .dtype = described.dtype,
          .shape = described.shape,
          .row_stride = graph_.row_stride(value)};
}

// The part of a whole value's tensor that the view covers.
Tensor Binder::slice(const Tensor& whole, int view) const {
  const GraphValue& described = graph_.values[view];
  if (!whole || described.view_of < 0) return whole;
  return {.data = static_cast<char*>(whole.data) + described.view_channel * size_of(whole.dtype),
          .dtype = whole.dtype,
          .shape = described.shape,
          .row_stride = whole.row_stride};
}

Tensor Binder::gradient(int value) const {
  const auto& partials = gradients_[graph_.root(value)];
  return partials.empty() ? Tensor{} : slice(partials[0], value);
}

void Binder::bind_values() {
  const auto count = static_cast<int>(graph_.values.size());
  for (int v = 0; v < count; ++v) values_.push_back(tensor(lifetimes_.value[v], v));
  for (int v = 0; v < count; ++v) {
    if (graph_.root(v) != v) values_[v] = slice(values_[graph_.root(v)], v);
  }
  const GraphValue& labels = graph_.values[graph_.labels];
  values_[graph_.labels] = dense(plan_.labels_buffer->data(), DType::kI32, labels.shape);
}

void Binder::show_values() {
  plan_.images = values_[graph_.images];
  plan_.labels = values_[graph_.labels];
  plan_.logits = values_[graph_.logits];
  for (const GraphNode& node : graph_.nodes) {
    if (std::holds_alternative<SoftmaxLoss>(node.spec) && node.inputs[0] == graph_.logits) {
      plan_.losses = values_[node.output];
    }
  }
  for (const std::string& name : plan_.options.keep) {
    if (name == kImages) continue;
    // The value is looked for, since a pass may have removed its op and let others write it.
    const auto found = std::find_if(graph_.values.begin(), graph_.values.end(),
                                    [&](const GraphValue& value) { return value.name == name; });
    if (found == graph_.values.end()) throw ConfigError(fmt::format("the network has no op \"{}\" to keep", name));
    const Tensor& kept = values_[static_cast<size_t>(found - graph_.values.begin())];
    if (!kept) throw ConfigError(fmt::format("the output of \"{}\" cannot be kept: the op is part of the next", name));
    plan_.kept[name] = kept;
  }
}

void Binder::bind_gradients() {
  gradients_.resize(graph_.values.size());
  for (int v = 0; v < static_cast<int>(graph_.values.size()); ++v) {
    for (const int buffer : lifetimes_.gradient[v]) gradients_[v].push_back(tensor(buffer, v));
  }
}

void Binder::bind_inputs(OpIo& io, int node) {
  const std::vector<int>& inputs = graph_.nodes[node].inputs;
  for (int k = 0; k < static_cast<int>(inputs.size()); ++k) {
    const int value = inputs[k];
    io.x.push_back(values_[value]);
    io.dx.emplace_back();
    if (!is_training(plan_.options)) continue;
    const auto& partials = schedule_.partials[value];
    for (size_t p = 0; p < partials.size(); ++p) {
      if (partials[p].node == node && partials[p].input == k) io.dx.back() = gradients_[value][p];
    }
  }
}

void Binder::bind_parameters(OpIo& io, const GraphNode& node) {
  const auto bind = [&](std::vector<Tensor>& to, const std::vector<int>& indices, const auto& tensor_of) {
    for (size_t first = 0; first < indices.size(); first += static_cast<size_t>(node.joined)) {
      to.push_back(tensor_of(indices[first]));
      for (size_t k = 1; k < static_cast<size_t>(node.joined); ++k)
        join(to.back(), tensor_of(indices[first + k]), node.spec);
    }
  };
  const PlanOptions& options = plan_.options;
  const Parameters& parameters = *plan_.parameters;
  const bool uses_batch = uses_batch_statistics(options, node);
  bind(io.w, node.parameters, [&](int parameter) { return parameters.value(parameter, options.weights); });
  bind(io.dw, node.parameters,
       [&](int parameter) { return is_training(options) ? parameters.gradient(parameter) : Tensor{}; });
  bind(io.state, node.state,
       [&](int state) { return uses_batch ? parameters.batch_state(state) : parameters.population(state); });
}

void Binder::bind_steps() {
  char* packed = static_cast<char*>(plan_.packed->data());
  for (size_t i = 0; i < graph_.nodes.size(); ++i) {
    const GraphNode& node = graph_.nodes[i];
    Plan::Impl::Step& step = plan_.steps[i];
    OpIo& io = step.io;
    bind_inputs(io, static_cast<int>(i));
    bind_parameters(io, node);
    io.y = values_[node.output];
    io.dy = gradient(node.output);
    for (const int part : node.output_parts) {
      io.y_parts.push_back(values_[part]);
      io.dy_parts.push_back(gradient(part));
    }
    if (lifetimes_.saved[i] >= 0) {
      io.saved = static_cast<char*>(plan_.arena->data()) + lifetimes_.buffers[lifetimes_.saved[i]].offset;
    }
    io.scratch = plan_.scratch->data();
    if (step.op->packed_bytes() > 0) io.packed = packed;
    packed += round_up(step.op->packed_bytes(), kBufferAlignment);
    io.step = static_cast<StepState*>(plan_.step_state->data());
  }
}

void Binder::bind_backward() {
  std::vector<int> producer(graph_.values.size(), -1);
  for (size_t i = 0; i < graph_.nodes.size(); ++i) {
    for (const int output : graph_.nodes[i].written()) producer[graph_.root(output)] = static_cast<int>(i);
  }
  for (const BackwardStep& step : schedule_.steps) {
    Plan::Impl::BackwardItem item{.step = step.node, .sum_dst = {}, .sum_srcs = {}};
    if (step.sum_value >= 0) bind_sum(item, step, plan_.steps[static_cast<size_t>(producer[step.sum_value])].info);
    if (step.node < 0) item.step = producer[step.sum_value];
    plan_.backward.push_back(std::move(item));
  }
}

void Binder::bind_sum(Plan::Impl::BackwardItem& item, const BackwardStep& step, StepInfo& producer) {
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
  Plan::Impl::Step& adder = plan_.steps[static_cast<size_t>(step.node)];
  adder.io.dx_terms.assign(terms.begin(), terms.end() - 1);  // the last is the adder's own
  adder.info.added_terms = static_cast<int>(adder.io.dx_terms.size());
}

}  // namespace

void bind(Plan::Impl& plan, const Graph& graph, const BackwardSchedule& schedule, const Lifetimes& lifetimes) {
  Binder(plan, graph, schedule, lifetimes).bind();
}

}  // namespace bn
