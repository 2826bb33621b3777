// Which GPU a process takes where several train together: each needs one of its own.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "bn/backend_options.hpp"
#include "bn/group.hpp"

namespace bn::cuda {

// The identities of the GPUs that this process sees, in CUDA's order; none where CUDA does not start.
std::vector<std::string> visible_devices();

// Every process of the group calls it with what it sees. Those of one machine that see the same GPUs take them in turn,
// from options.device on; a launcher may also have given each process a GPU of its own. Throws an AgreedError where the
// processes are more than the GPUs, and where each would measure for itself which algorithms to use.
int64_t own_device(const CudaOptions& options, Group& group, const std::vector<std::string>& visible);

}  // namespace bn::cuda
