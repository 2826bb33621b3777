// Several processes as a user starts them: mpirun -n 4 bninception train ...
#pragma once

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <optional>
#include <string>
#include <vector>

#include "cli/program.hpp"
#include "support/run_record.hpp"
#include "support/shapes_experiment.hpp"
#include "support/temporary_folder.hpp"

namespace bn::test {

// The parts' statistics, dropout masks and images differ; 12 steps an epoch.
inline const std::string kExperiment =
    "model: {network: network.yaml, classes: 10, normalization: batch, dropout: 0.25}\n" + shapes_data(300, 61) +
    R"(train: {batch: 6, parts: 4, steps: 20, learning_rate: {initial: 0.1}, average: polyak, log_every: 1,
  evaluate_every: 10, evaluate_batch: 7, checkpoint_every: 5}
distributed: {timeout_seconds: 30}
threads: 1
)";
inline constexpr const char* kNetwork = "{kind: mlp, image_size: 16, image_channels: 1, hidden: [40, 40]}\n";

class Processes : public testing::Test {
 protected:
  void SetUp() override {
    if (BN_HAS_MPI == 0) GTEST_SKIP() << "this build has no MPI";
    if (run_program({"/bin/sh", "-c", "command -v mpirun"}).exit_code != 0) GTEST_SKIP() << "mpirun is not installed";
    write_bytes(root_ / "experiment.yaml", kExperiment);
    write_bytes(root_ / "network.yaml", kNetwork);
  }

  // Tests may run as root, and with more processes than cores.
  static ProgramOptions options() {
    return {.environment = {{"OMPI_ALLOW_RUN_AS_ROOT", "1"},
                            {"OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1"},
                            {"OMPI_MCA_rmaps_base_oversubscribe", "1"},                   // Open MPI 4
                            {"PRTE_MCA_rmaps_default_mapping_policy", ":oversubscribe"},  // Open MPI 5
                            {"OMPI_MCA_mpi_yield_when_idle", "1"},
                            {"OMP_WAIT_POLICY", "passive"}},
            .folder = {},
            .timeout = std::chrono::milliseconds(120'000)};
  }

  std::vector<std::string> train_arguments(const std::string& run, const std::vector<std::string>& more = {}) const {
    std::vector<std::string> all{BN_PROGRAM, "train", root_ / "experiment.yaml", "--out", root_ / run};
    all.insert(all.end(), more.begin(), more.end());
    return all;
  }
  static std::vector<std::string> launched(int64_t processes, const std::vector<std::string>& arguments) {
    std::vector<std::string> all{"/bin/sh", "-c", "exec mpirun \"$@\"", "mpirun", "-n", std::to_string(processes)};
    all.insert(all.end(), arguments.begin(), arguments.end());
    return all;
  }
  ProgramResult train_by(int64_t processes, const std::string& run, const std::vector<std::string>& more = {}) const {
    return run_program(launched(processes, train_arguments(run, more)), options());
  }

  RunFolder folder(const std::string& run) const { return RunFolder(root_ / run); }
  std::string checkpoint(const std::string& run, int64_t step) const {
    return read_bytes(folder(run).checkpoint_path(step));
  }

  // The process of this rank among those that the launcher started.
  static std::optional<pid_t> process_of_rank(pid_t launcher, int rank) {
    for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
      const std::string name = entry.path().filename().string();
      if (name.find_first_not_of("0123456789") != std::string::npos) continue;
      std::ifstream stat(entry.path() / "stat"), environment(entry.path() / "environ", std::ios::binary);
      std::string skipped;
      pid_t parent = 0;
      stat >> skipped >> skipped >> skipped >> parent;
      if (parent != launcher) continue;
      const std::string variables{std::istreambuf_iterator<char>(environment), {}};
      if (variables.find(fmt::format("OMPI_COMM_WORLD_RANK={}{}", rank, '\0')) != std::string::npos) {
        return static_cast<pid_t>(std::stol(name));
      }
    }
    return std::nullopt;
  }

  TemporaryFolder root_;
};

}  // namespace bn::test
