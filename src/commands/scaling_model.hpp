// A model of several processes that train together, from the times of one.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "bn/config.hpp"

namespace bn {

struct Network {
  std::string name{};
  double bytes_per_second = 0;  // one process's, in each direction
  double latency = 0;           // seconds from one process's call to the other's answer
};

// "1GbE", "10GbE", "25GbE", "100GbE", "memory" (processes of one machine), or "GB/S:MICROSECONDS" such as "11.5:2".
// Throws an Error (kUsage) that lists these.
Network network_named(const std::string& text);

// The times of one process, in seconds.
struct StepTimes {
  double part = 0;                                   // forward and backward of one part
  double sum = 0;                                    // adding the gradients of two parts
  double update = 0;                                 // once a step
  int64_t gradient_bytes = 0, statistics_bytes = 0;  // exchanged
};

struct ScaledStep {
  int64_t processes = 1;
  int64_t parts = 1;      // a step's, over all processes
  double exchange = 0;    // seconds
  double step = 0;        // seconds
  double efficiency = 1;  // the step's time without the exchange, over its time
};

// Steps of 1, 2, 4, ... up to so many processes. A step has `parts` parts, or as many as there are processes where
// these are more. The exchange is that of src/mpi: slices of 2 MB one after another when all is computed, each added by
// its owners and handed back in a ring. It is taken to be alone on the network.
std::vector<ScaledStep> scaled_steps(const StepTimes& times, int64_t parts, int64_t most_processes,
                                     const Network& network);

void print_scaling(const std::vector<ScaledStep>& steps, const StepTimes& times, const Config& config,
                   const Network& network);
nlohmann::json json_of(const std::vector<ScaledStep>& steps, const Config& config);

}  // namespace bn
