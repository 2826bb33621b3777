#include "bn/training_step.hpp"

namespace bn {

void TrainingStep::run(const StepScalars& scalars) {
  plan_.begin(scalars);
  if (!has_run_) {
    has_run_ = true;
    compute();
    return;
  }
  if (!recording_) recording_ = backend_.record([this] { compute(); });
  recording_->replay();
}

void TrainingStep::compute() {
  plan_.forward();
  plan_.backward();
  update();
}

void TrainingStep::update() {
  if (options_.statistics) plan_.update_statistics();
  parameters_.sgd_step(options_.sgd, plan_.step_state());
  if (options_.average) parameters_.update_average(plan_.step_state());
  plan_.repack();
}

}  // namespace bn
