#include "system/usable_cores.hpp"

#include <fmt/format.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <numeric>
#include <sstream>
#include <string_view>

#include "system/text.hpp"

// libgomp narrows the mask of the first thread to one core where OMP_PROC_BIND and its like are set, before main():
// where it is linked, it knows how many there were.
extern "C" int omp_get_num_procs() __attribute__((weak));

namespace bn {
namespace {

namespace fs = std::filesystem;

constexpr int kMaxThreads = 4096;  // the configuration's

// Version 2 of cgroups has one hierarchy for all controllers, version 1 has one for each.
enum class CgroupVersion { kOne, kTwo };

// The place where a hierarchy is mounted. A container may see a part of it only, from `top` downwards.
struct CgroupMount {
  CgroupVersion version;
  std::string top;
  fs::path folder;
};

bool contains(std::string_view comma_separated, std::string_view name) {
  return fmt::format(",{},", comma_separated).find(fmt::format(",{},", name)) != std::string::npos;
}

// The mounted hierarchies that can hold a CPU quota. A line of mountinfo reads "36 35 98:0 /top /folder options
// [optional] - type source options".
std::vector<CgroupMount> cgroup_mounts(const fs::path& root) {
  std::vector<CgroupMount> mounts;
  std::ifstream file(root / "proc/self/mountinfo");
  for (std::string line; std::getline(file, line);) {
    const size_t separator = line.find(" - ");
    if (separator == std::string::npos) continue;
    std::istringstream before(line), after(line.substr(separator + 3));
    std::string skipped, top, folder, type, options;
    before >> skipped >> skipped >> skipped >> top >> folder;
    after >> type >> skipped >> options;
    const fs::path here = root / fs::path(folder).relative_path();
    if (type == "cgroup2") mounts.push_back({CgroupVersion::kTwo, top, here});
    if (type == "cgroup" && contains(options, "cpu")) mounts.push_back({CgroupVersion::kOne, top, here});
  }
  return mounts;
}

// The process's cgroup in the hierarchy that can hold its CPU quota. A line reads "0::/path" in version 2 and
// "4:cpu,cpuacct:/path" in version 1.
std::string own_cgroup(const fs::path& root, CgroupVersion version) {
  std::ifstream file(root / "proc/self/cgroup");
  for (std::string line; std::getline(file, line);) {
    const size_t first = line.find(':'), second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    const bool wanted = version == CgroupVersion::kTwo ? controllers.empty() : contains(controllers, "cpu");
    if (wanted) return line.substr(second + 1);
  }
  return "/";
}

// One cgroup's quota in cores; nullopt where it sets none.
std::optional<double> quota_of(const fs::path& cgroup, CgroupVersion version) {
  double quota = 0, period = 0;  // microseconds of CPU time in each period
  if (version == CgroupVersion::kTwo) {
    std::ifstream(cgroup / "cpu.max") >> quota >> period;  // "max" is no number
  } else {
    std::ifstream(cgroup / "cpu.cfs_quota_us") >> quota;  // -1: none
    std::ifstream(cgroup / "cpu.cfs_period_us") >> period;
  }
  if (quota <= 0 || period <= 0) return std::nullopt;
  return quota / period;
}

// nullopt where the variable is not set, or not set to a number that OpenMP accepts.
std::optional<int> openmp_threads(const char* variable) {
  const char* text = std::getenv(variable);
  if (text == nullptr) return std::nullopt;
  std::string_view first = text;
  first = first.substr(0, first.find(','));
  const auto blank = [](char letter) { return letter == ' ' || letter == '\t'; };
  while (!first.empty() && blank(first.front())) first.remove_prefix(1);
  while (!first.empty() && blank(first.back())) first.remove_suffix(1);
  const std::optional<int64_t> threads = number_in<int64_t>(first);
  if (!threads || *threads < 1) return std::nullopt;
  return static_cast<int>(std::min<int64_t>(*threads, kMaxThreads));
}

int allowed_cores() {
  const auto now = static_cast<int>(allowed_core_numbers().size());
  return omp_get_num_procs == nullptr ? now : std::max(now, omp_get_num_procs());
}

}  // namespace

std::optional<double> cgroup_quota(const fs::path& root) {
  std::optional<double> least;
  for (const CgroupMount& mount : cgroup_mounts(root)) {
    const fs::path below = fs::path(own_cgroup(root, mount.version)).lexically_relative(mount.top);
    fs::path cgroup = mount.folder;
    const auto look = [&] {
      const std::optional<double> quota = quota_of(cgroup, mount.version);
      if (quota && (!least || *quota < *least)) least = quota;
    };
    look();
    // A cgroup outside the part that is mounted here cannot be seen.
    if (below.empty() || *below.begin() == "..") continue;
    for (const fs::path& name : below) {
      cgroup /= name;
      look();
    }
  }
  return least;
}

int cores_of_machine() { return static_cast<int>(std::max(1L, sysconf(_SC_NPROCESSORS_ONLN))); }

std::vector<int> allowed_core_numbers() {
  struct Free {
    void operator()(cpu_set_t* set) const { CPU_FREE(set); }
  };
  std::vector<int> numbers;
  for (int cpus = CPU_SETSIZE; cpus <= 1 << 20; cpus *= 2) {  // the call fails when the machine may have more
    const std::unique_ptr<cpu_set_t, Free> set(CPU_ALLOC(static_cast<size_t>(cpus)));
    const size_t bytes = CPU_ALLOC_SIZE(static_cast<size_t>(cpus));
    if (set && sched_getaffinity(0, bytes, set.get()) == 0) {
      for (int cpu = 0; cpu < cpus; ++cpu) {
        if (CPU_ISSET_S(static_cast<size_t>(cpu), bytes, set.get())) numbers.push_back(cpu);
      }
    }
    if (!numbers.empty() || errno != EINVAL) break;
  }
  if (!numbers.empty()) return numbers;
  numbers.resize(static_cast<size_t>(cores_of_machine()));
  std::iota(numbers.begin(), numbers.end(), 0);
  return numbers;
}

CoreCount usable_cores(const fs::path& root) {
  const int allowed = allowed_cores();
  const std::optional<double> quota = cgroup_quota(root);
  if (quota && *quota < allowed) {
    return {static_cast<int>(std::ceil(*quota)),
            fmt::format("cgroup quota of {:.4g} core{}", *quota, *quota == 1 ? "" : "s")};
  }
  return {allowed, allowed < cores_of_machine() ? "affinity" : "all cores"};
}

CoreCount default_threads() {
  const std::optional<int> wanted = openmp_threads("OMP_NUM_THREADS"), most = openmp_threads("OMP_THREAD_LIMIT");
  CoreCount threads = wanted ? CoreCount{*wanted, "OMP_NUM_THREADS"} : usable_cores();
  if (most && *most < threads.count) threads = {*most, "OMP_THREAD_LIMIT"};
  return threads;
}

std::vector<std::string> problems_of_openmp_variables() {
  std::vector<std::string> problems;
  for (const char* variable : {"OMP_NUM_THREADS", "OMP_THREAD_LIMIT"}) {
    const char* text = std::getenv(variable);
    if (text == nullptr || *text == '\0' || openmp_threads(variable)) continue;
    problems.push_back(
        fmt::format("{} is '{}', which is no number of threads from 1 on, so it is ignored", variable, text));
  }
  return problems;
}

}  // namespace bn
