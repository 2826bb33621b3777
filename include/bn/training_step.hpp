// One step of training, as the trainer, the profile and the benchmarks compute it.
#pragma once

#include <memory>

#include "bn/parameters.hpp"
#include "bn/plan.hpp"

namespace bn {

struct UpdateOptions {
  Parameters::SgdOptions sgd{};
  bool statistics = true;  // blends the batch's statistics into the population's
  bool average = false;    // blends the parameters into their average
};

// The plan's purpose is kTrain, and it is packed; its images and labels are filled before each step. Everything is borrowed.
class TrainingStep {
 public:
  TrainingStep(Plan& plan, Parameters& parameters, Backend& backend, const UpdateOptions& options)
      : plan_(plan), parameters_(parameters), backend_(backend), options_(options) {}

  // A whole step with these scalars. The first one is computed op by op, since libraries load their kernels then; the
  // second one is recorded, and it and all that follow are replayed.
  void run(const StepScalars& scalars);

  // The work of run() after Plan::begin(), op by op: forward, backward, update.
  void compute();
  // Updates the statistics, the parameters, their average and the packed weights.
  void update();

 private:
  Plan& plan_;
  Parameters& parameters_;
  Backend& backend_;
  UpdateOptions options_;
  std::unique_ptr<Recording> recording_;
  bool has_run_ = false;
};

}  // namespace bn
