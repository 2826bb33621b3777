// A step of training over the parts that its images are divided into, and over the processes that share the parts; the
// images of the parts that this process computes, and how well the network knows them.
#pragma once

#include <exception>
#include <functional>
#include <memory>
#include <vector>

#include "bn/group.hpp"
#include "bn/loader.hpp"
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
  // The same of `slice` alone, a part of the slab, after the last part of the step.
  void add_last(const Tensor& slice);

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
  std::vector<Tensor> terms_ = std::vector<Tensor>(2);
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
  // With `overlap`, where the exchange can, the last part's gradients are exchanged while others are still computed.
  // Throws ConfigError (own_parts).
  PartedStep(Plan& plan, Parameters& parameters, Backend& backend, Group& group, Exchange* exchange,
             const TrainOptions& options, bool overlap);
  ~PartedStep();
  PartedStep(const PartedStep&) = delete;
  PartedStep& operator=(const PartedStep&) = delete;

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
  void divide_gradients();
  void take_gradients(const std::vector<Tensor>& gradients);
  void begin_next_slice();
  void prepare_slices();

  // A slice is a part of the gradients' slab. It can be exchanged when the last part's backward has written all of it.
  struct Slice {
    Tensor values;
    int64_t gradients = 0;  // its elements that are gradients; others are padding
    int64_t missing = 0;    // of these, how many the step has still to write
    int64_t completed = 0;  // how many ops of the first step had written when it was complete
  };

  Plan& plan_;
  Parameters& parameters_;
  Group& group_;
  Exchange* exchange_;
  TrainingStep step_;
  int64_t parts_;
  OwnParts own_;
  TreeSum gradients_, statistics_;
  std::vector<Tensor> slabs_;  // what the processes add when all is computed: gradients, statistics
  // With overlap the processes add all gradients earlier, by these slices in the order in which they are complete. The
  // order is the same in every process, and known after the first step.
  std::vector<Slice> slices_;
  bool order_is_known_ = false;
  size_t begun_ = 0;  // slices of this step whose exchange has begun
  bool is_last_part_ = false;
  int64_t ops_ = 0;  // that have written gradients in the first step
  std::exception_ptr error_;
  double exchange_seconds_ = 0;
};

class PartLoaders {
 public:
  // A loader for each own part; they share data.workers. Throws as Loader does.
  PartLoaders(const Dataset& images, const DataOptions& data, const LoaderOptions& options, const OwnParts& own,
              int64_t parts);

  int64_t batches_per_epoch() const { return loaders_.front()->batches_per_epoch(); }
  void next(int64_t own_part, Batch& batch) { loaders_[static_cast<size_t>(own_part)]->next(batch); }
  LoaderCounters counters() const;                     // sums over this process's parts
  LoaderCounters counters_of_all(Group& group) const;  // sums over all processes, without their waiting

 private:
  std::vector<std::unique_ptr<Loader>> loaders_;
};

struct PartScore {
  double loss = 0;            // mean over the part's images
  double top1 = 0, top5 = 0;  // fractions of them
};

PartScore score_part(const Plan& plan, Backend& backend);

// The mean over the parts of all processes, in the order of the parts.
PartScore mean_over_parts(Group& group, const std::vector<PartScore>& own);

}  // namespace bn
