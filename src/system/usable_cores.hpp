// The number of cores this process may use. Work is divided by these numbers, and some results depend on the division
// in their last bits. So the numbers follow from how the process was started, never from how busy the machine is.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace bn {

struct CoreCount {
  int count = 1;
  std::string reason;  // "all cores", "affinity", "cgroup quota of 1.5 cores", "OMP_NUM_THREADS", "OMP_THREAD_LIMIT"
};

// The least CPU quota of the process's cgroup and of those above it, in cores; nothing where none is set or to be seen.
// `root` stands for / in the paths of the files that are read.
std::optional<double> cgroup_quota(const std::filesystem::path& root = "/");

// The cores that the affinity mask allows, or as many as the cgroups' quota pays for, rounded up.
CoreCount usable_cores(const std::filesystem::path& root = "/");

int cores_of_machine();                   // online
std::vector<int> allowed_core_numbers();  // those that the affinity mask of this thread allows, ascending

// The value of OMP_NUM_THREADS (the first number of a list), else usable_cores(); at most OMP_THREAD_LIMIT.
CoreCount default_threads();

// A sentence for each of these variables that holds something else, and so counts as if it were not set.
std::vector<std::string> problems_of_openmp_variables();

}  // namespace bn
