// Everything that training changes: parameters with their gradients and velocities, batch-norm statistics, counters. It
// outlives every Plan that runs over it; checkpoints save it by name.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "bn/backend.hpp"
#include "bn/net.hpp"

namespace bn {

enum class InitKind { kGaussian, kXavier, kHe };
struct InitOptions {
  InitKind kind = InitKind::kHe;  // weights: N(0, std^2); he: std = sqrt(2/fan_in), xavier: sqrt(2/(fan_in+fan_out))
  float std = 0.01F;              // used by kGaussian
  float bias = 0.0F;
};
enum class DecayScope { kWeights, kAll };  // the parameters that L2 applies to

// Which copy of the parameters a plan reads.
enum class WeightsCopy { kCurrent, kAverage };

// A named slab view, for checkpoints and tests.
struct NamedTensor {
  std::string name{};  // "value/conv1/conv/w", "velocity/...", "average/...", "population/conv1/bn/mean"
  Tensor tensor{};
};

// One slab each for values, gradients, velocities (and the average). In a slab stand first the parameters that L2
// decays, then the others that are learned, then the frozen ones. Each group is in the order of creation, but siblings
// (core/parameters.cpp) follow one another. Every parameter starts on a 64-byte boundary; the gaps stay zero. One slab
// each for batch and population statistics, those of frozen batch norms last.
class Parameters {
 public:
  Parameters(const Net& net, Backend& backend, DecayScope decay_scope, bool with_average);

  // Draws weights from Philox keyed by (seed, hash of the parameter's name): equal names and shapes get equal values
  // in every network. gamma = 1, beta = 0, statistics 0 / 1.
  void initialize(uint64_t seed, const InitOptions& options);

  Tensor value(int parameter, WeightsCopy copy = WeightsCopy::kCurrent) const;
  Tensor gradient(int parameter) const;
  Tensor velocity(int parameter) const;
  Tensor batch_state(int state) const;
  Tensor population(int state) const;
  bool has_average() const { return average_ != nullptr; }

  Tensor batch_state_slab() const;  // without those of frozen batch norms
  Tensor population_slab() const;   // the same
  Tensor average_slab() const;
  Tensor value_slab() const;
  Tensor gradient_slab() const;                                               // without those of frozen parameters
  int64_t state_offset(int state) const { return state_offsets_.at(state); }  // elements

  struct SgdOptions {
    float momentum = 0, l2 = 0;
    MomentumKind kind = MomentumKind::kClassical;
  };
  // The two spans of a step: decayed, the rest. One is empty where there are no such parameters. Frozen parameters have
  // no part in it.
  std::array<SgdUpdate, 2> sgd_updates(const SgdOptions& options, StepState* step) const;
  void update_average(const StepState* step);  // average += average_weight * (value - average)
  void reset_average();                        // average = value

  // Everything a checkpoint must hold.
  std::vector<NamedTensor> named_tensors() const;

  // The number of blends into the population statistics since they were last reset; see Plan::update_statistics.
  int64_t statistics_updates = 0;

  const Net& net() const { return *net_; }
  Backend& backend() const { return *backend_; }

 private:
  Tensor slice(const Buffer& slab, int parameter) const;
  Tensor state_slice(const Buffer& slab, int state) const;

  const Net* net_;
  Backend* backend_;
  std::vector<int64_t> offsets_;  // elements
  int64_t slab_elements_ = 0;
  int64_t decayed_elements_ = 0, learned_elements_ = 0;  // the ends of the slab's first two parts
  std::vector<int64_t> state_offsets_;
  int64_t state_elements_ = 0;
  int64_t learned_state_elements_ = 0;
  std::unique_ptr<Buffer> values_, gradients_, velocities_, average_, batch_state_, population_;
};

}  // namespace bn
