// compile(): a Net, once, becomes a Plan: flat lists of steps with fixed pointers. Nothing allocates afterwards.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "bn/backend.hpp"
#include "bn/net.hpp"
#include "bn/parameters.hpp"
#include "bn/plan_options.hpp"

namespace bn {

enum class Purpose {
  kTrain,           // forward in training mode, backward
  kStatistics,      // forward in training mode only: batch statistics, nothing saved
  kEvaluate,        // population statistics
  kEvaluateFolded,  // the same with batch normalisation folded into the weights by pack()
};

struct PlanOptions {
  int64_t batch = 0;
  Purpose purpose = Purpose::kTrain;
  int64_t parts = 1;  // a step's images are `parts` times `batch`: the plan's loss and statistics count 1/parts
  PartExchange* exchange = nullptr;  // training, for BatchNorm::synchronised_parts
  DType activations = DType::kF32;
  WeightsCopy weights = WeightsCopy::kCurrent;
  PlanPasses passes{};
  // Ops whose output must survive the forward pass, for Plan::output; "images" keeps the input for further passes.
  std::vector<std::string> keep{};
};

struct PlanMemory {
  int64_t activations = 0;  // bytes of the shared arena: values, gradients, saved
  int64_t unshared = 0;     // the arena's bytes if no two buffers shared memory
  int64_t scratch = 0, packed = 0;
};

struct StepInfo {
  std::string name, kind, implementation;
  int64_t multiply_adds = 0;  // per batch, forward
  std::vector<TensorDesc> x{};
  TensorDesc y{};
  std::vector<bool> wants_dx{};
  int gradient_terms = 0;  // partial gradients of y that are summed before its backward, by a step of their own
  int added_terms = 0;     // partial gradients of x, from other ops, that its backward adds
  int64_t saved_bytes = 0, scratch_bytes = 0, packed_bytes = 0;
};

// Where the gradients of parameters are after a backward pass. kWithOps: an op may hold its own, which is cheaper where
// nothing but update_parameters() reads them.
enum class Gradients { kInParameters, kWithOps };

class Plan {
 public:
  struct Impl;  // src/plan/plan_impl.hpp
  explicit Plan(std::unique_ptr<Impl> impl);
  ~Plan();
  Plan(Plan&&) noexcept;
  Plan& operator=(Plan&&) noexcept;

  Tensor images() const;                       // [batch, h, w, c], activation type; fill with Backend::load_images
  Tensor labels() const;                       // [batch] i32; fill with set_labels
  Tensor logits() const;                       // [batch, classes] f32
  Tensor losses() const;                       // [batch] f32, the main loss's (training plans)
  Tensor output(const std::string& op) const;  // `op` is one of PlanOptions::keep

  // [batch], -1 = padding. Throws DataError for a label beyond the classes.
  void set_labels(const int32_t* labels);

  void pack();                             // call after each change of the parameters or of the population statistics
  void begin(const StepScalars& scalars);  // call before forward; holds for all that follows in this step
  void set_seed(uint64_t seed);            // dropout's seed
  void forward();
  void backward(Gradients gradients = Gradients::kInParameters);
  // Mean main loss over the labels >= 0 of the last forward. Synchronises.
  double read_loss() const;
  int64_t first_bad_step() const;  // -1: none

  // population += weight * (correction * batch / parts - population), where `batch` is the sum over the parts,
  // correction is m/(m-1) for variances (paper: Algorithm 2) and 1 for means, and weight is
  // StepScalars::statistics_weight. For the t-th update (t = ++parameters.statistics_updates):
  //   moving average: (1 - decay) / (1 - decay^t), so the first update copies;
  //   Algorithm 2:    1 / t, the mean.
  void update_statistics();
  // Updates the learned parameters, and what their ops keep packed of them; the plan was packed before. `gradients` is
  // what the backward pass was called with.
  void update_parameters(const Parameters::SgdOptions& options, Gradients gradients = Gradients::kInParameters);

  StepState* step_state() const;
  const PlanOptions& options() const;
  const PlanMemory& memory() const;
  std::vector<StepInfo> steps() const;  // in forward order

  // Called in backward() on a CPU, after each op that has parameters, with their gradients, while set.
  using GradientObserver = std::function<void(const std::vector<Tensor>& gradients)>;
  void set_gradient_observer(GradientObserver observer);

  // Called with (index into steps(), is_backward, seconds) after each step while set; for `bninception profile`.
  using Observer = std::function<void(int, bool, double)>;
  void set_observer(Observer observer);

 private:
  std::unique_ptr<Impl> impl_;
};

// Throws ShapeError (batch too small for batch norm: m = 1) or UnsupportedError, naming the op.
Plan compile(const Net& net, Parameters& parameters, Backend& backend, const PlanOptions& options);

float moving_average_weight(float decay, int64_t update);  // update counts from 1

}  // namespace bn
