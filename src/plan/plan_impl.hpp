// The contents of a compiled Plan, and how its ops are given their pointers.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "bn/plan.hpp"
#include "plan/graph.hpp"
#include "plan/lifetimes.hpp"

namespace bn {

struct Plan::Impl {
  static constexpr const char* kForward = "forward";
  static constexpr const char* kBackward = "backward";

  struct Step {
    StepInfo info;
    std::unique_ptr<Op> op;
    OpIo io;
    bool is_frozen = false;
  };
  struct BackwardItem {
    int step = -1;   // the op whose backward runs, or whose output's gradient is summed
    Tensor sum_dst;  // present: a sum
    std::vector<Tensor> sum_srcs;
  };

  template <class Run>
  void run_step(int step, const char* direction, Run&& run);

  PlanOptions options;
  Backend* backend = nullptr;
  Parameters* parameters = nullptr;
  std::vector<Step> steps;
  std::vector<BackwardItem> backward;
  std::vector<OpCall> packs, repacks, unpacks;  // those of all steps; of steps that learn; of steps with a backward
  std::unique_ptr<Buffer> arena, scratch, packed, labels_buffer, step_state;
  std::unique_ptr<Buffer> correction;  // [state slab]: 1 for means, m/(m-1) for variances
  Tensor images, labels, logits, losses;
  std::map<std::string, Tensor> kept;
  PlanMemory memory;
  mutable std::vector<float> host_losses;
  mutable std::vector<int32_t> host_labels;
  Observer observer;
  GradientObserver gradient_observer;
};

// Once the plan's memory is there: fills each step's OpIo, the backward list, and the tensors that a plan shows. Throws
// ConfigError where an output that is to be kept is not there, and UnsupportedError for a sum of too many gradients.
void bind(Plan::Impl& plan, const Graph& graph, const BackwardSchedule& schedule, const Lifetimes& lifetimes);

}  // namespace bn
