// A step of training over the parts that its images are divided into, and over the processes that share the parts.
#pragma once

#include <exception>
#include <functional>
#include <memory>
#include <vector>

#include "bn/group.hpp"
#include "bn/train_options.hpp"
#include "bn/training_step.hpp"

namespace bn {

// The sum of what one slab holds part after part, added pairwise by the tree of group/tree.hpp.
class TreeSum {
 public:
  TreeSum(Backend& backend, const Tensor& slab, int64_t parts);
  // The slab holds the values of this part; after the last one, the sum. A part whose neighbour is to come waits in
  // memory of its own.
  void add(int64_t part);

 private:
  struct Level {  // a sum over 2^i parts
    std::unique_ptr<Buffer> memory;
    Tensor waiting;
    std::vector<Tensor> with_neighbour;  // it and the slab
  };

  Backend& backend_;
  int64_t parts_;
  std::vector<Tensor> slab_;  // one
  std::vector<Level> levels_;
};

// Gradients and batch statistics are added pairwise by one fixed tree over the parts, so their bits do not depend on
// the number of processes: each process adds its own parts by a subtree, the group the subtrees.
class PartedStep {
 public:
  // How the processes stand; each is true in all of them as soon as it is in one.
  struct Signals {
    bool stop = false;    // somebody asked for the end
    bool failed = false;  // a part could not be loaded, and nothing was updated
  };

  // The plan is compiled for one part. `exchange` is what the backend made for the group, null for a process alone.
  // Throws ConfigError (own_parts).
  PartedStep(Plan& plan, Parameters& parameters, Backend& backend, Group& group, Exchange* exchange,
             const TrainOptions& options);

  const OwnParts& own() const { return own_; }
  int64_t parts() const { return parts_; }

  // `load` fills the plan's images and labels with own part i of 0..own().count-1; `computed` is called when that part
  // has been computed. A process alone throws what load throws; several return with `failed`, and error() has it.
  Signals run(const StepScalars& scalars, bool stop, const std::function<void(int64_t)>& load,
              const std::function<void(int64_t)>& computed);
  std::exception_ptr error() const { return error_; }

  // On a GPU without the time of the exchange itself, for which no process waits here.
  double exchange_seconds() const { return exchange_seconds_; }

 private:
  void compute_own_parts(const StepScalars& scalars, const std::function<void(int64_t)>& load,
                         const std::function<void(int64_t)>& computed);
  Signals exchange(const Signals& mine);

  Plan& plan_;
  Parameters& parameters_;
  Group& group_;
  Exchange* exchange_;
  TrainingStep step_;
  int64_t parts_;
  OwnParts own_;
  TreeSum gradients_, statistics_;
  std::vector<Tensor> slabs_;  // what the processes add: gradients, statistics
  std::exception_ptr error_;
  double exchange_seconds_ = 0;
};

}  // namespace bn
