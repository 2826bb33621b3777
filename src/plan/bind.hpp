// Gives every op of a plan its pointers, once the plan's memory is there.
#pragma once

#include "plan/graph.hpp"
#include "plan/lifetimes.hpp"
#include "plan/plan_impl.hpp"

namespace bn {

// Fills each step's OpIo, the backward list, and the tensors that a plan shows. Throws ConfigError where an output that
// is to be kept is not there, and UnsupportedError for a sum of too many gradients.
void bind(Plan::Impl& plan, const Graph& graph, const BackwardSchedule& schedule, const Lifetimes& lifetimes);

}  // namespace bn
