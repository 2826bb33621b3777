// Settings that a user has probably not meant are told when a run starts.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "bn/config.hpp"
#include "bn/dataset.hpp"
#include "bn/net.hpp"

namespace bn {

// A sentence for each likely mistake; `first_evaluation` is a step.
std::vector<std::string> warnings_of(const Config& config, const Net& net, const Dataset& training_set,
                                     const Dataset& validation_set, int64_t first_evaluation);

// How many classes a batch holds on average, in the order that training reads the set, and in a random one.
struct ClassesInBatch {
  double found = 0, expected = 0;
};
ClassesInBatch classes_in_batch(const Dataset& training_set, const DataOptions& data, int64_t batch, uint64_t seed);

}  // namespace bn
