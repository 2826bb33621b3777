// Training that starts from what another network has learned.
#pragma once

#include <string>
#include <vector>

#include "bn/parameters.hpp"
#include "bn/provenance.hpp"

namespace bn {

struct Start {
  Origin origin{};
  std::string message{};  // says what was taken from where, and what was not
};

// Loads the checkpoint that model.init_from names into the parameters, whose values are drawn already. The layers whose
// outputs are class scores are kept only where the other network knew the same `classes`; otherwise they stay as drawn.
// Throws CheckpointError: no checkpoint there, or one of another network.
Start start_from(const std::string& init_from, Parameters& parameters, const std::vector<std::string>& classes);

// "frozen: conv1, conv2 (1234 of 5678 parameters)"; empty where nothing is. `init_from`: as above, or empty.
std::string describe_frozen(const Net& net, const std::string& init_from);

}  // namespace bn
