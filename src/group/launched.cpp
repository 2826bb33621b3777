// MPI is a module beside the program, loaded when a launcher started this process together with others: a machine
// without MPI runs the same program.
#include <dlfcn.h>
#include <fmt/format.h>

#include <cstdlib>
#include <filesystem>
#include <optional>

#include "bn/group.hpp"
#include "system/installation.hpp"
#include "system/text.hpp"

namespace bn {
namespace {

constexpr bool kBuiltWithMpi = BN_HAS_MPI != 0;
constexpr const char* kModule = "libbninception_mpi.so";

using OpenGroup = Group* (*)();

std::optional<int64_t> environment_number(const char* variable) {
  const char* text = std::getenv(variable);
  if (text == nullptr) return std::nullopt;
  return number_in<int64_t>(text);
}

// The environment tells of a launcher: Open MPI's, those of MPICH and Intel, srun's.
struct Launched {
  bool has_started_several = false;
  std::optional<int64_t> processes{};  // where it is told
};

// srun sets SLURM_STEP_NUM_TASKS for every program, but PMIX_RANK only where MPI was asked for.
Launched launched() {
  for (const char* variable : {"OMPI_COMM_WORLD_SIZE", "PMI_SIZE"}) {
    if (const std::optional<int64_t> count = environment_number(variable)) return {*count > 1, count};
  }
  if (std::getenv("PMIX_RANK") == nullptr) return {};
  const std::optional<int64_t> tasks = environment_number("SLURM_STEP_NUM_TASKS");
  return {tasks.value_or(2) > 1, tasks};
}

OpenGroup load_module() {
  const std::filesystem::path path = module_file(kModule);
  void* module = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (module == nullptr) {
    throw UnsupportedError(fmt::format(
        "a launcher started several processes of this program, but its module for MPI does not load: {}", dlerror()));
  }
  void* open = dlsym(module, "bn_open_mpi_group");
  if (open == nullptr) {
    throw UnsupportedError(fmt::format("{} is not this program's: {}", path.string(), dlerror()));
  }
  return reinterpret_cast<OpenGroup>(open);
}

}  // namespace

std::unique_ptr<Group> open_group() {
  const Launched by = launched();
  if (!by.has_started_several) return alone();
  if (!kBuiltWithMpi) {
    throw UnsupportedError(
        "a launcher started several processes of this program, but it was built without MPI: start it alone, or build "
        "it where Debian's libopenmpi-dev is installed");
  }
  static const OpenGroup kOpen = load_module();  // never unloaded: the group is its code
  std::unique_ptr<Group> group(kOpen());
  if (group->is_alone() && by.processes) {
    throw UnsupportedError(fmt::format(
        "a launcher started {} processes of this program, but each sees itself alone: the launcher belongs to another "
        "MPI library than the one that {} was built with",
        *by.processes, kModule));
  }
  return group;
}

}  // namespace bn
