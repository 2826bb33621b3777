// The scripts under experiments/ that all studies share.
#include <gtest/gtest.h>

#include <filesystem>

#include "support/child_process.hpp"
#include "support/temporary_folder.hpp"

namespace bn::test {
namespace {

const std::string kExperiments = BN_SOURCE_DIR "/experiments/";

// run_study, and what follows it in a study's run.sh, with a stand-in for the program that repeats its arguments.
class RunStudy : public testing::Test {
 protected:
  ProgramResult run(const std::string& sweep_does, const std::vector<std::string>& arguments = {}) const {
    const std::string program = folder_ / "program.sh";
    write_bytes(program, "#!/bin/sh\necho \"$@\"\n[ $1 != sweep ] || " + sweep_does + "\n");
    std::filesystem::permissions(program, std::filesystem::perms::owner_all);
    write_bytes(folder_ / "run.sh", "set -euo pipefail\nsource " + kExperiments +
                                        "common.sh\nout=default\nread_sweep_options --jobs 3 \"$@\"\n"
                                        "run_study a.yaml \"$out\"\necho and more\n");
    std::vector<std::string> command{"/bin/bash", folder_ / "run.sh"};
    command.insert(command.end(), arguments.begin(), arguments.end());
    return run_program(command, {.environment = {{"BNINCEPTION", program}}});
  }

  TemporaryFolder folder_;
};

const std::string kSweep = "sweep a.yaml --out default --jobs 3\n";
const std::string kReport = "report default --out default/report\n";

TEST_F(RunStudy, EndsWithTheReport) {
  const ProgramResult result = run("exit 0");
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(result.out, kSweep + kReport + "and more\n");
}

TEST_F(RunStudy, ACrashedRunDoesNotCostTheReport) {
  const ProgramResult result = run("exit 1");
  EXPECT_EQ(result.exit_code, 1) << result.err;
  EXPECT_EQ(result.out, kSweep + kReport);
}

TEST_F(RunStudy, AnotherErrorEndsIt) {
  const ProgramResult result = run("exit 3");
  EXPECT_EQ(result.exit_code, 3) << result.err;
  EXPECT_EQ(result.out, kSweep);
}

TEST_F(RunStudy, AStageEndsWithoutAReport) {
  const ProgramResult result = run("exit 9");
  EXPECT_EQ(result.exit_code, 9) << result.err;
  EXPECT_EQ(result.out, kSweep + "This stage is over and everything is saved; the same command goes on.\n");
}

TEST_F(RunStudy, ThePlanIsOfTheFolder) {
  const ProgramResult result = run("exit 0", {"--dry-run", "--out", "mine", "--set", "train.l2=0"});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(result.out, "sweep a.yaml --out mine --jobs 3 --set train.l2=0 --dry-run\n");
}

std::set<std::string> files_in(const std::string& folder) {
  std::set<std::string> files;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    if (entry.is_regular_file()) files.insert(std::filesystem::relative(entry.path(), folder).string());
  }
  return files;
}

TEST(KeepResults, CopiesWhatTheReportAndTheTableAreMadeOf) {
  const TemporaryFolder folder;
  const std::set<std::string> kept{
      "sweep.json",      "table.md",       "a/seed_1/config.yaml",     "a/seed_1/log.jsonl",       "a/seed_1/git.txt",
      "scores/a_1.json", "scores/a_1.csv", "scores/ensemble_144.json", "report/figures/curves.svg"};
  std::set<std::string> all = kept;
  all.insert({"a/seed_1/checkpoints/best.safetensors", "a/seed_1/output.txt", "scores/ensemble_144.csv"});
  for (const std::string& file : all) {
    std::filesystem::create_directories(std::filesystem::path(folder / ("runs/" + file)).parent_path());
    write_bytes(folder / ("runs/" + file), file);
  }
  const ProgramResult result =
      run_program({"/bin/bash", kExperiments + "keep_results.sh", folder / "runs", folder / "results"});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(files_in(folder / "results"), kept);
}

}  // namespace
}  // namespace bn::test
