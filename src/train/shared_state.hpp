// The state that all processes of a run must hold alike: the parameters with everything that a checkpoint has.
#pragma once

#include <cstdint>

#include "bn/checkpoint.hpp"
#include "bn/group.hpp"
#include "bn/parameters.hpp"

namespace bn {

// The first process's parameters, velocities, averages, statistics and progress replace those of the others.
void share_state(Group& group, Parameters& parameters, Progress& progress);

// The first process's value replaces those of the others.
void share(Group& group, bool& value);

// Throws an AgreedError that names the processes whose parameters are not those of the first one.
void expect_same_parameters(Group& group, const Parameters& parameters, int64_t step);

}  // namespace bn
