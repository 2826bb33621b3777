// A sum of gradients of which a pool writes one term is left to the pool: its backward runs where the sum would have
// been, and adds the other terms to what it writes. Saves starting an op, and writing and reading the pool's term.
//
// The sum keeps its order, so in f32 every bit stays. In bf16 the pool's term is no longer rounded before it is added.
#include <algorithm>

#include "plan/graph.hpp"

namespace bn {
namespace {

// Looks at the first two terms alone, because only these can change places without changing the sum.
std::vector<GradientUse>::iterator adder_of(std::vector<GradientUse>& partials, const Graph& graph) {
  return std::find_if(partials.begin(), partials.begin() + 2, [&](const GradientUse& use) {
    return adds_gradient_terms(graph.nodes[static_cast<size_t>(use.node)].spec);
  });
}

}  // namespace

void fuse_gradient_sum(BackwardSchedule& schedule, const Graph& graph) {
  std::vector<BackwardStep>& steps = schedule.steps;
  for (BackwardStep& sum : steps) {
    if (sum.node >= 0) continue;
    std::vector<GradientUse>& partials = schedule.partials[static_cast<size_t>(sum.sum_value)];
    const auto adder = adder_of(partials, graph);
    if (adder == partials.begin() + 2) continue;
    sum.node = adder->node;
    std::rotate(adder, adder + 1, partials.end());
  }
  // The step at a pool's former place is the one without a sum.
  std::vector<bool> adds(graph.nodes.size(), false);
  for (const BackwardStep& step : steps) {
    if (step.node >= 0 && step.sum_value >= 0) adds[static_cast<size_t>(step.node)] = true;
  }
  std::erase_if(steps,
                [&](const BackwardStep& step) { return step.sum_value < 0 && adds[static_cast<size_t>(step.node)]; });
}

}  // namespace bn
