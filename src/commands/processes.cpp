#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <set>
#include <sstream>
#include <string_view>

#include "commands/commands.hpp"
#include "system/terminal.hpp"
#include "system/usable_cores.hpp"

namespace bn {
namespace {

[[noreturn]] void end_all(Group& group, ExitCode exit_code, const std::string& what) {
  tell(fmt::format("error: process {} on {}: {}\n", group.place().rank, group.place().host, what));
  group.abort(exit_code);
  std::_Exit(static_cast<int>(exit_code));
}

ExitCode report(const Group& group, const AgreedError& error) {
  if (group.is_first()) tell(fmt::format("error: {}\n", error.what()));
  return error.exit_code();
}

// A process reports the cores that it may use, and those of its machine.
struct CoreReport {
  std::string host{};
  std::vector<int> cores{};
  int machine = 0;
};

std::string to_text(const CoreReport& report) {
  return fmt::format("{} {} {}", report.host, report.machine, fmt::join(report.cores, " "));
}

CoreReport from_text(const std::string& text) {
  CoreReport report;
  std::istringstream words(text);
  words >> report.host >> report.machine;
  for (int core = 0; words >> core;) report.cores.push_back(core);
  return report;
}

std::vector<CoreReport> gather_reports(Group& group) {
  std::vector<CoreReport> reports;
  const CoreReport mine{.host = group.place().host, .cores = allowed_core_numbers(), .machine = cores_of_machine()};
  for (const std::string& text : group.gather(to_text(mine))) reports.push_back(from_text(text));
  return reports;
}

bool shares_cores(const CoreReport& a, const CoreReport& b) {
  return a.host == b.host &&
         std::find_first_of(a.cores.begin(), a.cores.end(), b.cores.begin(), b.cores.end()) != a.cores.end();
}

// A launcher that binds each process to one core leaves most of a machine idle, and says nothing.
void warn_of_idle_cores(const std::vector<CoreReport>& reports) {
  struct Machine {
    std::set<int> used;
    int cores = 0;
    int processes = 0;
  };
  std::map<std::string, Machine> machines;
  for (const CoreReport& report : reports) {
    Machine& machine = machines[report.host];
    machine.used.insert(report.cores.begin(), report.cores.end());
    machine.cores = report.machine;
    ++machine.processes;
  }
  for (const auto& [host, machine] : machines) {
    if (static_cast<int>(machine.used.size()) >= machine.cores) continue;
    tell(
        fmt::format("warning: {} process{} on {} may use {} of its {} cores; start with mpirun --map-by slot:PE={} (or "
                    "srun -c {}) to use them all\n",
                    machine.processes, machine.processes == 1 ? "" : "es", host, machine.used.size(), machine.cores,
                    std::max(1, machine.cores / machine.processes), std::max(1, machine.cores / machine.processes)));
  }
}

}  // namespace

ExitCode run_in_group(const std::function<ExitCode(Group&)>& work) {
  const std::unique_ptr<Group> group = open_group();
  if (group->is_alone()) return work(*group);
  ExitCode exit_code = ExitCode::kFailure;
  try {
    exit_code = work(*group);
  } catch (const AgreedError& error) {
    exit_code = report(*group, error);
  } catch (const Error& error) {
    end_all(*group, error.exit_code(), error.what());
  } catch (const std::exception& error) {
    end_all(*group, ExitCode::kFailure, error.what());
  }
  std::fflush(stdout);  // the launcher ends the others as soon as one has failed
  return exit_code;
}

int64_t shared_threads(Group& group, int64_t threads) {
  if (group.is_alone() || threads > 0) return threads;
  const std::vector<CoreReport> reports = gather_reports(group);
  if (group.is_first()) warn_of_idle_cores(reports);
  if (std::getenv("OMP_NUM_THREADS") != nullptr) return threads;
  const CoreReport& mine = reports[static_cast<size_t>(group.place().rank)];
  const auto sharing =
      std::ranges::count_if(reports, [&](const CoreReport& other) { return shares_cores(mine, other); });
  return std::max<int64_t>(1, default_threads().count / sharing);
}

void warn_of_separate_tasks(const Group& group, int64_t parts) {
  const char* tasks = std::getenv("SLURM_STEP_NUM_TASKS");
  if (!group.is_alone() || parts == 1 || tasks == nullptr || std::string_view(tasks) == "1") return;
  tell(
      fmt::format("warning: srun started {} processes without --mpi=pmix, so each trains by itself; with it they "
                  "would share the {} parts of a step\n",
                  tasks, parts));
}

}  // namespace bn
