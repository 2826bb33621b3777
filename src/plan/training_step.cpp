#include "bn/training_step.hpp"

namespace bn {

void TrainingStep::run(const StepScalars& scalars) {
  plan_.begin(scalars);
  repeat(whole_, &TrainingStep::compute);
}

void TrainingStep::run_part(const StepScalars& scalars) {
  plan_.begin(scalars);
  repeat(part_, &TrainingStep::compute_part);
}

void TrainingStep::run_update() { repeat(update_, &TrainingStep::update_alone); }

void TrainingStep::repeat(Repeated& work, void (TrainingStep::*call)()) {
  if (!work.has_run) {
    work.has_run = true;
    (this->*call)();
    return;
  }
  if (!work.replay) work.replay = backend_.record([this, call] { (this->*call)(); });
  work.replay();
}

void TrainingStep::compute() {
  plan_.forward();
  plan_.backward(Gradients::kWithOps);
  update(Gradients::kWithOps);
}

void TrainingStep::compute_part() {
  plan_.forward();
  plan_.backward();
}

void TrainingStep::update_alone() { update(Gradients::kInParameters); }

void TrainingStep::update(Gradients gradients) {
  if (options_.statistics) plan_.update_statistics();
  plan_.update_parameters(options_.sgd, gradients);
  if (options_.average) parameters_.update_average(plan_.step_state());
}

}  // namespace bn
