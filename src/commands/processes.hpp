// Commands that several processes run together, as a launcher (mpirun, srun) starts them.
#pragma once

#include <functional>

#include "bn/group.hpp"

namespace bn {

// Opens the group of this process and runs work in it. Of an error that all agreed on, the first process writes the
// message; any other error ends all processes, and names this one. A process alone throws what work throws.
ExitCode run_in_group(const std::function<ExitCode(Group&)>& work);

// The number of threads for this process's kernels: `threads`, or where that is 0 and OMP_NUM_THREADS is not set, its
// share of the cores that it may use: processes of one machine with the same cores divide them. The first process warns
// of machines whose cores lie idle.
int64_t shared_threads(Group& group, int64_t threads);

// Warns where srun started several processes that could share the parts of a step but were not told of each other.
void warn_of_separate_tasks(const Group& group, int64_t parts);

}  // namespace bn
