// One step of training, as the trainer, the profile and the benchmarks compute it.
#pragma once

#include <functional>

#include "bn/parameters.hpp"
#include "bn/plan.hpp"

namespace bn {

struct UpdateOptions {
  Parameters::SgdOptions sgd{};
  bool statistics = true;  // blends the batch's statistics into the population's
  bool average = false;    // blends the parameters into their average
};

// The plan's purpose is kTrain, and it is packed; its images and labels are filled before each step. Everything is
// borrowed.
class TrainingStep {
 public:
  TrainingStep(Plan& plan, Parameters& parameters, Backend& backend, const UpdateOptions& options)
      : plan_(plan), parameters_(parameters), backend_(backend), options_(options) {}

  // A whole step with these scalars. Afterwards not all gradients are in Parameters.
  void run(const StepScalars& scalars);

  // A step in parts: the gradients and statistics of one part, and, when they hold the sums over the parts, the update.
  void run_part(const StepScalars& scalars);
  void run_update();

  // The work of run() after Plan::begin(), op by op: forward, backward, update. Afterwards not all gradients are in
  // Parameters.
  void compute();
  // Updates the statistics, the parameters with the packed weights, and the parameters' average.
  void update(Gradients gradients);

 private:
  // Work that is repeated. The first time it is computed op by op, since libraries load their kernels then; the second
  // time it is recorded, and that and all that follow are replayed.
  struct Repeated {
    std::function<void()> replay{};
    bool has_run = false;
  };
  void repeat(Repeated& work, void (TrainingStep::*call)());
  void compute_part();
  void update_alone();

  Plan& plan_;
  Parameters& parameters_;
  Backend& backend_;
  UpdateOptions options_;
  Repeated whole_, part_, update_;
};

}  // namespace bn
