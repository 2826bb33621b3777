#include "plan/lifetimes.hpp"

#include <algorithm>
#include <numeric>

#include "core/regions.hpp"

namespace bn {
namespace {

constexpr int kBeforeTheSteps = -1;  // when the images are written
constexpr int kAbsent = -2;

struct Span {
  int first = kAbsent, last = kAbsent;
};

class LifetimeFinder {
 public:
  LifetimeFinder(const Graph& graph, const BackwardSchedule& schedule, const std::vector<int>& backward_time,
                 const PlanOptions& options)
      : graph_(graph), schedule_(schedule), backward_time_(backward_time), options_(options) {}

  Lifetimes find(const std::vector<int64_t>& saved_bytes) {
    add_values(spans_of_values());
    found_.gradient.resize(graph_.values.size());
    if (is_training(options_)) add_gradients();
    add_saved(saved_bytes);
    return std::move(found_);
  }

 private:
  int end_time() const { return static_cast<int>(graph_.nodes.size() + schedule_.steps.size()); }
  bool is_kept(const std::string& name) const {
    return std::find(options_.keep.begin(), options_.keep.end(), name) != options_.keep.end();
  }
  int add_buffer(int64_t bytes, Span span);
  std::vector<Span> spans_of_values() const;
  void share_spans_of_views(std::vector<Span>& spans) const;
  void add_values(const std::vector<Span>& spans);
  void add_gradients();
  void add_saved(const std::vector<int64_t>& saved_bytes);

  const Graph& graph_;
  const BackwardSchedule& schedule_;
  const std::vector<int>& backward_time_;
  const PlanOptions& options_;
  Lifetimes found_;
};

int LifetimeFinder::add_buffer(int64_t bytes, Span span) {
  if (!options_.passes.share_memory) span = {.first = kBeforeTheSteps, .last = end_time()};
  found_.buffers.push_back({.bytes = bytes, .first = span.first, .last = std::max(span.first, span.last), .offset = 0});
  return static_cast<int>(found_.buffers.size()) - 1;
}

// A value lives from its producer to its last reader, forward or backward.
std::vector<Span> LifetimeFinder::spans_of_values() const {
  std::vector<Span> spans(graph_.values.size());
  spans[graph_.images] = {.first = kBeforeTheSteps, .last = is_kept(kImages) ? end_time() : 0};
  for (int i = 0; i < static_cast<int>(graph_.nodes.size()); ++i) {
    const GraphNode& node = graph_.nodes[i];
    for (const int output : node.written()) spans[output] = {.first = i, .last = i};
    const int last_read = backward_reads(node.spec).x ? backward_time_[i] : i;
    for (const int input : node.inputs) spans[input].last = std::max({spans[input].last, i, last_read});
  }
  for (int i = 0; i < static_cast<int>(graph_.nodes.size()); ++i) {
    const OpSpec& spec = graph_.nodes[i].spec;
    for (const int output : graph_.nodes[i].written()) {
      if (backward_reads(spec).y) spans[output].last = std::max(spans[output].last, backward_time_[i]);
      if (output == graph_.logits || std::holds_alternative<SoftmaxLoss>(spec)) spans[output].last = end_time();
    }
  }
  for (int v = 0; v < static_cast<int>(graph_.values.size()); ++v) {
    if (is_kept(graph_.values[v].name)) spans[v].last = spans[graph_.root(v)].last = end_time();
  }
  share_spans_of_views(spans);
  return spans;
}

// The whole of which others are views lives as long as any of them.
void LifetimeFinder::share_spans_of_views(std::vector<Span>& spans) const {
  for (int v = 0; v < static_cast<int>(graph_.values.size()); ++v) {
    Span& root = spans[graph_.root(v)];
    if (graph_.root(v) == v || spans[v].first == kAbsent) continue;
    root.first = root.first == kAbsent ? spans[v].first : std::min(root.first, spans[v].first);
    root.last = std::max(root.last, spans[v].last);
  }
}

void LifetimeFinder::add_values(const std::vector<Span>& spans) {
  found_.value.assign(graph_.values.size(), -1);
  for (int v = 0; v < static_cast<int>(graph_.values.size()); ++v) {
    const GraphValue& value = graph_.values[v];
    if (v == graph_.labels || spans[v].first == kAbsent || value.view_of >= 0) continue;
    found_.value[v] = add_buffer(value.shape.rows() * graph_.row_stride(v) * size_of(value.dtype), spans[v]);
  }
}

// A partial gradient lives from its consumer's backward to the sum; the first one holds the sum and lives on to the
// producer's backward. An op that sums writes into the first, too: it reads each element where it writes it.
void LifetimeFinder::add_gradients() {
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
      const int node = schedule_.partials[v][k].node;
      const Span span{.first = backward_time_[node], .last = k == 0 ? producer_time[v] : sum_time[v]};
      found_.gradient[v].push_back(node == sum_node[v]
                                       ? found_.gradient[v][0]
                                       : add_buffer(value.shape.elements() * size_of(value.dtype), span));
    }
  }
}

void LifetimeFinder::add_saved(const std::vector<int64_t>& saved_bytes) {
  found_.saved.assign(graph_.nodes.size(), -1);
  if (!is_training(options_)) return;
  for (int i = 0; i < static_cast<int>(graph_.nodes.size()); ++i) {
    if (saved_bytes[i] > 0) found_.saved[i] = add_buffer(saved_bytes[i], {.first = i, .last = backward_time_[i]});
  }
}

}  // namespace

std::vector<int> backward_times(const Graph& graph, const BackwardSchedule& schedule) {
  std::vector<int> times(graph.nodes.size(), -1);
  for (size_t i = 0; i < schedule.steps.size(); ++i) {
    if (schedule.steps[i].node >= 0) times[schedule.steps[i].node] = static_cast<int>(graph.nodes.size() + i);
  }
  return times;
}

Lifetimes lifetimes_of(const Graph& graph, const BackwardSchedule& schedule, const std::vector<int>& backward_time,
                       const std::vector<int64_t>& saved_bytes, const PlanOptions& options) {
  return LifetimeFinder(graph, schedule, backward_time, options).find(saved_bytes);
}

// The buffers are placed greedily by decreasing size, each at the lowest offset that is free over its whole lifetime.
// On the networks here the arena is within a few per cent of the peak of live bytes.
int64_t assign_offsets(std::vector<Lifetime>& buffers) {
  std::vector<size_t> order(buffers.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return buffers[a].bytes > buffers[b].bytes; });

  int64_t arena = 0;
  std::vector<size_t> placed;  // sorted by offset
  for (const size_t index : order) {
    Lifetime& buffer = buffers[index];
    buffer.bytes = round_up(buffer.bytes, kBufferAlignment);
    int64_t offset = 0;
    for (const size_t other_index : placed) {
      const Lifetime& other = buffers[other_index];
      if (other.last < buffer.first || other.first > buffer.last) continue;
      if (other.offset >= offset + buffer.bytes) break;
      offset = std::max(offset, other.offset + other.bytes);
    }
    buffer.offset = offset;
    arena = std::max(arena, offset + buffer.bytes);
    const auto position = std::upper_bound(placed.begin(), placed.end(), offset,
                                           [&](int64_t value, size_t other) { return value < buffers[other].offset; });
    placed.insert(position, index);
  }
  return arena;
}

}  // namespace bn
