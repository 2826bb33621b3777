// All scripts under experiments/ and tests/ keep these promises; those of the studies keep some more.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <signal.h>

#include <cstdlib>
#include <filesystem>

#include "support/child_process.hpp"
#include "support/temporary_folder.hpp"

namespace bn::test {
namespace {

using testing::HasSubstr;
using testing::Not;

const std::string kExperiments = BN_SOURCE_DIR "/experiments/";

// A program in place of another.
void write_program(const std::string& path, const std::string& text) {
  std::filesystem::create_directories(std::filesystem::path(path).parent_path());
  write_bytes(path, "#!/bin/bash\n" + text + "\n");
  std::filesystem::permissions(path, std::filesystem::perms::owner_all);
}

std::vector<std::string> scripts() {
  std::vector<std::string> found;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(kExperiments)) {
    const std::filesystem::path& path = entry.path();
    if (path.extension() == ".sh" && path.filename() != "common.sh") found.push_back(path);
  }
  for (const char* name : {"run", "distributions", "faults/run", "fuzz/run"}) {
    found.push_back(fmt::format("{}/tests/{}.sh", BN_SOURCE_DIR, name));
  }
  return found;
}

TEST(Scripts, HelpIsPrintedFromAnyFolder) {
  const TemporaryFolder folder;
  const std::filesystem::path here = std::filesystem::canonical(folder / ".");
  ASSERT_GE(scripts().size(), 15u);
  for (const std::string& script : scripts()) {
    const std::string relative = std::filesystem::path(script).lexically_relative(here);
    const ProgramResult result = run_program({"/bin/bash", relative, "--help"}, {.folder = here});
    EXPECT_EQ(result.exit_code, 0) << script << result.err;
    EXPECT_EQ(result.err, "") << script;
    const std::string name = std::filesystem::path(script).filename();
    EXPECT_THAT(result.out, HasSubstr("\n  usage: " + name)) << script << ": " << result.out;
    EXPECT_THAT(result.out, Not(HasSubstr("set -"))) << script << ": " << result.out;
    const bool is_a_sweep = result.out.find("[--minutes N]") != std::string::npos;
    EXPECT_EQ(result.out.find("--minutes: ") != std::string::npos, is_a_sweep) << script << ": " << result.out;
  }
}

TEST(Scripts, AnUnknownOptionIsRefusedWithTheKnownOnes) {
  for (const std::string& script : scripts()) {
    const ProgramResult result = run_program({"/bin/bash", script, "--nonsense"});
    EXPECT_EQ(result.exit_code, 2) << script << result.out;
    EXPECT_EQ(result.out, "") << script;
    EXPECT_THAT(result.err, HasSubstr("'--nonsense'; ")) << script << ": " << result.err;
  }
}

TEST(Scripts, AMissingMnistIsFoundBeforeAnythingIsBuilt) {
  const TemporaryFolder folder;
  for (const std::string command : {"aa_check/run.sh", "figure1_mnist/run.sh", "what_bn_does/layers/run.sh",
                                    "what_bn_does/run.sh placement/sigmoid"}) {
    const ProgramResult result = run_program({"/bin/bash", "-c", "bash " + kExperiments + command},
                                             {.environment = {{"BN_DATA_ROOT", folder.path()}}});
    EXPECT_EQ(result.exit_code, 2) << command << result.out;
    EXPECT_EQ(result.err,
              "run.sh: set BN_DATA_ROOT to the folder that holds MNIST, four files that many sites offer:\n"
              "mnist/train-images-idx3-ubyte.gz, train-labels-idx1-ubyte.gz, t10k-images-idx3-ubyte.gz and "
              "t10k-labels-idx1-ubyte.gz.\n");
  }
}

TEST(Scripts, PathsAreTheCallers) {
  const TemporaryFolder folder;
  const std::string here = std::filesystem::canonical(folder / ".");
  write_bytes(folder / "run.sh", "source " + kExperiments +
                                     "common.sh\necho \"$BN_DATA_ROOT\"\nfrom_caller b/../c\n"
                                     "from_caller /absolute\nshown \"$caller/b/c\"\nshown configs\n");
  const ProgramResult result =
      run_program({"/bin/bash", "run.sh"}, {.environment = {{"BN_DATA_ROOT", "data"}}, .folder = here});
  EXPECT_EQ(result.out, here + "/data\n" + here + "/c\n/absolute\nb/c\n" BN_SOURCE_DIR "/configs\n") << result.err;
}

// run_study, and what follows it in a study's run.sh, with a stand-in for the program that repeats its arguments.
class RunStudy : public testing::Test {
 protected:
  void write_script(const std::string& sweep_does) const {
    write_program(folder_ / "program.sh", "echo \"$@\"\n[ $1 != sweep ] || " + sweep_does);
    write_bytes(folder_ / "run.sh", "set -euo pipefail\nsource " + kExperiments +
                                        "common.sh\nout=default\nread_sweep_options --jobs 3 \"$@\"\n"
                                        "run_study a.yaml \"$out\"\necho and more\n");
  }
  ProgramOptions options() const { return {.environment = {{"BNINCEPTION", "./program.sh"}}, .folder = here_}; }
  ProgramResult run(const std::string& sweep_does, const std::vector<std::string>& arguments = {}) const {
    write_script(sweep_does);
    std::vector<std::string> command{"/bin/bash", "run.sh"};
    command.insert(command.end(), arguments.begin(), arguments.end());
    return run_program(command, options());
  }

  TemporaryFolder folder_;
  const std::string here_ = std::filesystem::canonical(folder_ / ".");
};

const std::string kSweep = "sweep a.yaml --out default --jobs 3\n";
const std::string kReport = "report default --out default/report\n";

// A crashed run (1) does not cost the report, another error (3) ends it, and a stage (9) ends without a report.
TEST_F(RunStudy, EndsAsItsSweepDoes) {
  for (const auto& [code, after_the_sweep] :
       {std::pair(0, kReport + "and more\n"),
        {1, kReport},
        {3, std::string()},
        {9, "This stage is over and everything is saved; the same command goes on.\n"}}) {
    const ProgramResult result = run(fmt::format("exit {}", code));
    EXPECT_EQ(result.exit_code, code) << result.err;
    EXPECT_EQ(result.out, kSweep + after_the_sweep);
  }
}

TEST_F(RunStudy, ThePlanIsOfTheCallersFolder) {
  const ProgramResult result = run("exit 0", {"--dry-run", "--out", "mine", "--set", "train.l2=0"});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(result.out, "sweep a.yaml --out " + here_ + "/mine --jobs 3 --set train.l2=0 --dry-run\nand more\n");
}

// As a service manager asks, or whoever started it: not the sweep itself.
TEST_F(RunStudy, ASignalToTheScriptAloneEndsItsStage) {
  write_script(
      fmt::format("trap 'echo saved >{0}/saved; exit 9' TERM; touch {0}/begun; while :; do sleep 0.01; done", here_));
  RunningProgram script({"/bin/bash", "run.sh"}, options());
  ASSERT_TRUE(
      wait_until(std::chrono::milliseconds(20'000), [&] { return std::filesystem::exists(folder_ / "begun"); }));
  script.signal(SIGTERM);
  EXPECT_EQ(script.wait().exit_code, 130);
  EXPECT_EQ(read_bytes(folder_ / "saved"), "saved\n");
}

// common.sh in a folder of its own, with a stand-in for cmake.
class Configure : public testing::Test {
 protected:
  ProgramResult run(const std::string& version) const {
    std::filesystem::create_directories(folder_ / "clone/experiments");
    std::filesystem::copy_file(kExperiments + "common.sh", folder_ / "clone/experiments/common.sh",
                               std::filesystem::copy_options::overwrite_existing);
    write_program(folder_ / "bin/cmake", "case $1 in --version) echo cmake version " + version +
                                             " ;; *) echo \"$@\" >" + folder_ / "arguments" + " ;; esac");
    write_program(folder_ / "run.sh", "set -euo pipefail\nsource clone/experiments/common.sh\ncuda=yes\nconfigure");
    return run_program({"/bin/bash", "run.sh"},
                       {.environment = {{"PATH", folder_ / "bin:" + std::getenv("PATH")}}, .folder = folder_ / "."});
  }
  std::string arguments() const { return read_bytes(folder_ / "arguments"); }
  void write_cache(const std::string& generator, const std::string& home) const {
    std::filesystem::create_directories(folder_ / "clone/build/release");
    write_bytes(folder_ / "clone/build/release/CMakeCache.txt",
                "CMAKE_GENERATOR:INTERNAL=" + generator + "\nCMAKE_HOME_DIRECTORY:INTERNAL=" + home + "\n");
    write_bytes(folder_ / "clone/build/release/build.ninja", "");
  }

  TemporaryFolder folder_;
};

const std::string kNewBuild = "--preset release -DBN_BUILD_TESTS=OFF\n";

TEST_F(Configure, ANewFolderIsForTheProgramsAlone) {
  const ProgramResult result = run("3.25.0");
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(arguments(), kNewBuild);
}

TEST_F(Configure, AnOldCmakeIsNamed) {
  const ProgramResult result = run("3.22.1");
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_EQ(result.err,
            "run.sh: cmake is version 3.22.1: please put 3.25 or newer first in PATH ('pip install cmake' has one), "
            "then try again.\n");
}

TEST_F(Configure, WhatIsConfiguredStaysAsItIs) {
  write_cache("Ninja", folder_ / "clone");
  const ProgramResult result = run("3.31.6");
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(result.out, "");
  EXPECT_EQ(arguments(), "build/release\n");
}

TEST_F(Configure, AMovedClonesFolderIsConfiguredAgain) {
  write_cache("Ninja", "/moved/away");
  EXPECT_EQ(run("3.25.0").out,
            "clone/build/release was configured for /moved/away with Ninja: it is configured again.\n");
  EXPECT_EQ(arguments(), kNewBuild);
  write_cache("Unix Makefiles", folder_ / "clone");
  EXPECT_EQ(run("3.25.0").exit_code, 0);
  EXPECT_EQ(arguments(), kNewBuild);
}

// The system's programs have stand-ins, which say that libjpeg-dev is missing.
class InstallPackages : public testing::Test {
 protected:
  InstallPackages() {
    write_program(folder_ / "bin/dpkg-query", "case \"$*\" in *libjpeg-dev) exit 1 ;; esac\nprintf installed");
    write_program(folder_ / "bin/sudo", "exit 1");
    become_root();
  }
  void become_root() const { write_program(folder_ / "bin/id", "echo 0"); }
  void apt_get(const std::string& install_does) const {
    write_program(folder_ / "bin/apt-get", "[[ \" $* \" != *' update '* ]] || exit 100\n" + install_does);
  }
  ProgramResult run(const std::vector<std::string>& arguments = {"run"}) const {
    std::vector<std::string> command{"/bin/bash", kExperiments + "install_packages.sh"};
    command.insert(command.end(), arguments.begin(), arguments.end());
    return run_program(command, {.environment = {{"PATH", folder_ / "bin:" + std::getenv("PATH")}}});
  }
  std::string error_after(const std::string& apt_says) const {
    apt_get("echo '" + apt_says + "' >&2; exit 100");
    const ProgramResult result = run();
    EXPECT_EQ(result.exit_code, 2);
    return result.err;
  }

  TemporaryFolder folder_;
};

TEST_F(InstallPackages, NothingIsDoneWhereNoneIsMissing) {
  write_program(folder_ / "bin/dpkg-query", "printf installed");
  const ProgramResult result = run();
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(result.out + result.err, "");
}

TEST_F(InstallPackages, GroupsCanBeGivenTogether) {
  const ProgramResult result = run({"--dry-run", "run", "test", "check"});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(result.out, "libjpeg-dev\n");
}

TEST_F(InstallPackages, TheMissingOnesAreInstalled) {
  apt_get("echo $* >" + folder_ / "arguments");
  const ProgramResult result = run();
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(result.out, "Missing packages: libjpeg-dev\n");
  EXPECT_EQ(read_bytes(folder_ / "arguments"),
            "-o DPkg::Lock::Timeout=300 -o Acquire::Retries=3 install -q -y --no-install-recommends libjpeg-dev\n");
}

TEST_F(InstallPackages, WithoutRootTheCommandIsTold) {
  write_program(folder_ / "bin/id", "echo 1000");
  const ProgramResult result = run();
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_EQ(result.err,
            "Only root can install them, and sudo cannot be used here: please run this as root, then try again:\n"
            "  apt-get update && apt-get install --no-install-recommends -y libjpeg-dev\n");
}

TEST_F(InstallPackages, AFailureEndsInWhatToDo) {
  EXPECT_EQ(error_after("E: Could not get lock /var/lib/dpkg/lock-frontend. It is held by process 7 (apt)"),
            "install_packages.sh: another program is installing packages: wait until it has ended, then try again.\n");
  EXPECT_EQ(error_after("E: Failed to fetch x  Temporary failure resolving y"),
            "install_packages.sh: packages could not be fetched: connect this machine to the network, or mend "
            "/etc/apt/sources.list, then try again.\n");
  EXPECT_EQ(error_after("E: Unable to locate package libjpeg-dev"),
            "install_packages.sh: this system does not offer all packages: Debian 12 and 13 do, and Ubuntu 24.04 (with "
            "universe) should.\n");
  EXPECT_EQ(
      error_after("dpkg: no space left"),
      "dpkg: no space left\ninstall_packages.sh: apt-get could not install the packages: mend what it says above, "
      "then try again.\n");
}

TEST_F(InstallPackages, AnotherSystemIsToldWhatIsNeeded) {
  const TemporaryFolder few;
  for (const char* program : {"dirname", "realpath"}) {
    std::filesystem::create_symlink("/usr/bin/" + std::string(program), few / program);
  }
  const ProgramResult result =
      run_program({"/bin/bash", kExperiments + "install_packages.sh", "test"}, {.environment = {{"PATH", few / "."}}});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(
      result.err,
      "This system has no Debian packages, so nothing is installed or checked. What is needed, as Debian calls it:\n"
      "  libgtest-dev libgmock-dev help2man pkg-config python3-jsonschema python3-yaml libopenmpi-dev openmpi-bin\n");
}

}  // namespace
}  // namespace bn::test
