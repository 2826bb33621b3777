// Fig. 1 b, c: how the distribution of one unit's input moves over training.
#pragma once

#include <string>
#include <vector>

#include "bn/dataset.hpp"
#include "bn/plan.hpp"
#include "bn/run_log.hpp"
#include "bn/train_options.hpp"

namespace bn {

// Watches the input of one op, for one unit, over the first images of the validation set, always the same. Batch
// normalisation uses the statistics of the probe set itself, as in training.
class Probe {
 public:
  // Throws ConfigError: no such op, unit out of range, fewer images than asked.
  Probe(const Net& net, Parameters& parameters, Backend& backend, const Dataset& dataset, const DataOptions& data,
        DType activations, const ProbeOptions& options);

  LogRecord measure(LogRecord record);  // fills percentiles: 15th, 50th, 85th

 private:
  Backend& backend_;
  ProbeOptions options_;
  std::string watched_;  // the op whose output is the input of options.op
  Plan plan_;
};

// Linear interpolation between order statistics; sorts `values`.
double percentile(std::vector<float>& values, double percent);

}  // namespace bn
