// Training by several processes: the bits of one, whatever their number.
#include "processes/fixtures.hpp"

namespace bn::test {
namespace {

using testing::HasSubstr;
using testing::Not;
using TrainProcesses = Processes;

TEST_F(TrainProcesses, AProcessAloneUnderALauncherIsThePlainProgram) {
  for (const char* precision : {"f32", "bf16"}) {
    const std::vector<std::string> more{"--set", "train.parts=1", "--set", std::string("precision=") + precision};
    const ProgramResult plain = run_program(train_arguments(std::string("plain_") + precision, more));
    ASSERT_EQ(plain.exit_code, 0) << plain.err;
    const ProgramResult launched = train_by(1, std::string("launched_") + precision, more);
    ASSERT_EQ(launched.exit_code, 0) << launched.err;
    EXPECT_TRUE(checkpoint(std::string("launched_") + precision, 20) ==
                checkpoint(std::string("plain_") + precision, 20));
  }
}

// Parts that share their statistics wait for each other amid a step, so they cannot agree on its end.
TEST_F(TrainProcesses, ADamagedImageIsNamed) {
  write_shapes(root_ / "set", 16, 60, 20);
  const std::string damaged = root_ / "set/train/arrow/000000.png";
  write_bytes(damaged, "no image");
  for (const char* shared : {"1", "2"}) {
    const ProgramResult result = train_by(
        2, shared,
        set({"train.parts=2", std::string("batch_norm.synchronised_parts=") + shared,
             "data={kind: folder, train: [" + root_ / "set/train" + "], validation: [" + root_ / "set/validation" +
                 "], image_size: 16, image_channels: 1, resize_shorter: 0, mean: [0.5], std: [0.25]}"}));
    EXPECT_EQ(result.exit_code, code(ExitCode::kData)) << result.err;
    EXPECT_THAT(result.err, HasSubstr(damaged));
  }
}

TEST_F(TrainProcesses, TheirNumberChangesNoBit) {
  for (const std::string overlap : {"never", "always"}) {
    const std::vector<std::string> more{"--set", "distributed.overlap=" + overlap};
    const std::string one = "one_" + overlap;
    ASSERT_EQ(run_program(train_arguments(one, more)).exit_code, 0);
    for (const int64_t processes : {2, 4}) {
      const std::string run = fmt::format("{}_{}", processes, overlap);
      const ProgramResult result = train_by(processes, run, more);
      ASSERT_EQ(result.exit_code, 0) << result.err;
      EXPECT_TRUE(checkpoint(run, 20) == checkpoint(one, 20)) << run;
      EXPECT_TRUE(read_bytes(folder(run).best_path()) == read_bytes(folder(one).best_path())) << run;
      EXPECT_EQ(curve(folder(run)), curve(folder(one)));
      EXPECT_THAT(result.err, HasSubstr(fmt::format("4 parts x 6 = 24 images a step, by {} processes", processes)));
      EXPECT_EQ(result.err.find("step 1/20"), result.err.rfind("step 1/20")) << "only one process reports";
    }
  }
}

TEST_F(TrainProcesses, ACheckpointThatCannotBeWrittenEndsAll) {
  // The shell's unit is 512 bytes: enough for the log, not for a checkpoint.
  std::vector<std::string> limited{"/bin/sh", "-c", "ulimit -f 100; exec \"$@\"", "sh"};
  const std::vector<std::string> train = train_arguments("run");
  limited.insert(limited.end(), train.begin(), train.end());
  ProgramOptions settings = options();
  settings.environment["OMPI_MCA_shmem"] = "sysv";  // what MPI shares would be a file, and too large
  const ProgramResult full = run_program(launched(2, limited), settings);
  EXPECT_EQ(full.exit_code, code(ExitCode::kStorage)) << full.err;
  EXPECT_THAT(full.err, HasSubstr("cannot write '" + (root_ / "run/checkpoints/step_")));
}

class DifferingProcess : public Processes {
 protected:
  // Two processes, of which the second has other variables in its environment and more arguments. They are
  // one program to mpirun, since that of Open MPI 5.0.7 crashes where a colon separates two.
  ProgramResult train_with_another(const std::string& variables, const std::string& arguments,
                                   const ProgramOptions& settings = options()) const {
    std::vector<std::string> words{
        "/bin/sh", "-c",
        fmt::format("[ $OMPI_COMM_WORLD_RANK = 0 ] || exec env {} \"$@\" {}; exec \"$@\"", variables, arguments), "sh"};
    const std::vector<std::string> train = train_arguments("run");
    words.insert(words.end(), train.begin(), train.end());
    return run_program(launched(2, words), settings);
  }
};

TEST_F(DifferingProcess, IsNamedWithTheKey) {
  const ProgramResult result = train_with_another("", "--set train.l2=0.5");
  EXPECT_EQ(result.exit_code, code(ExitCode::kConfig)) << result.err;
  EXPECT_THAT(result.err, HasSubstr("the processes must have one configuration"));
  EXPECT_THAT(result.err, HasSubstr("train.l2: 0 -> 0.5"));
  EXPECT_FALSE(std::filesystem::exists(root_ / "run")) << "nothing was begun";
}

// The bits of a step depend on the instruction set; one machine of several may be older.
TEST_F(DifferingProcess, ThatComputesOtherwiseIsNamed) {
  const ProgramResult result = train_with_another("BN_CPU_ISA=generic", "");
  EXPECT_EQ(result.exit_code, code(ExitCode::kUnsupported)) << result.err;
  EXPECT_THAT(result.err, HasSubstr("the processes must agree on what computes, but process 0 on "));
  EXPECT_FALSE(std::filesystem::exists(root_ / "run")) << "nothing was begun";
}

TEST_F(DifferingProcess, WithABadConfigurationIsNamedToo) {
  const ProgramResult result = train_with_another("", "--set train.momentm=0.5");
  EXPECT_EQ(result.exit_code, code(ExitCode::kConfig)) << result.err;
  EXPECT_THAT(result.err, HasSubstr("error: process 1 on "));
  EXPECT_THAT(result.err, HasSubstr("did you mean train.momentum"));
}

TEST_F(DifferingProcess, WithOtherImagesIsNamed) {
  for (const auto& [name, images] : {std::pair{"here", 60}, std::pair{"there", 59}}) {
    write_shapes(root_ / (std::string(name) + "/set"), 16, images, 20);
  }
  write_bytes(root_ / "experiment.yaml",
              std::string(kExperiment)
                  .replace(std::string(kExperiment).find("  kind: shapes\n"), 15,
                           "  kind: folder\n  train: [set/train]\n  validation: [set/validation]\n"));
  ProgramOptions settings = options();
  settings.environment["BN_DATA_ROOT"] = root_ / "here";
  const ProgramResult result = train_with_another("BN_DATA_ROOT=" + (root_ / "there"), "", settings);
  EXPECT_EQ(result.exit_code, code(ExitCode::kData)) << result.err;
  EXPECT_THAT(result.err, HasSubstr("the processes must agree on the training images"));
  EXPECT_THAT(result.err, HasSubstr("has 60 images with fingerprint"));
}

TEST_F(TrainProcesses, ThatDoNotDivideThePartsAreRefused) {
  const ProgramResult result = train_by(2, "run", {"--set", "train.parts=1"});
  EXPECT_EQ(result.exit_code, code(ExitCode::kConfig)) << result.err;
  EXPECT_THAT(result.err, HasSubstr("2 processes cannot share train.parts: 1"));
}

// Without a GPU for each, without the backend for one, or without NCCL, all of them end with one sentence.
TEST_F(TrainProcesses, WithoutAGpuForEachAreRefused) {
  const ProgramResult result = train_by(2, "run", {"--set", "device=cuda"});
  if (result.exit_code == 0) GTEST_SKIP() << "this machine has a GPU for each";
  EXPECT_EQ(result.exit_code, code(ExitCode::kUnsupported)) << result.err;
  EXPECT_THAT(result.err, testing::AnyOf(HasSubstr("error: device: cuda was asked for, but "),
                                         HasSubstr("error: each process needs a GPU of its own, but 2 processes on "),
                                         HasSubstr("error: several processes with a GPU each need NVIDIA's NCCL")));
}

// The cores of this machine are divided among the processes that may use the same ones.
TEST_F(TrainProcesses, DivideTheCores) {
  const auto cores = static_cast<int64_t>(sysconf(_SC_NPROCESSORS_ONLN));
  const auto threads_of = [&](const std::string& run) {
    const std::string message = read_log(folder(run).log_path()).front().message;
    const size_t end = message.find(" thread");
    return std::stoll(message.substr(message.rfind(' ', end - 1) + 1));
  };
  const std::vector<std::string> few{"--set", "threads=0", "--set", "train.steps=1"};
  const auto train_on = [&](const std::string& run, int64_t processes, const std::vector<std::string>& taskset) {
    std::vector<std::string> command{"/bin/sh", "-c", "unset OMP_NUM_THREADS; exec mpirun --bind-to none \"$@\"",
                                     "mpirun",  "-n", std::to_string(processes)};
    command.insert(command.end(), taskset.begin(), taskset.end());
    const std::vector<std::string> train = train_arguments(run, few);
    command.insert(command.end(), train.begin(), train.end());
    const ProgramResult result = run_program(command, options());
    EXPECT_EQ(result.exit_code, 0) << result.err;
    return result;
  };
  const ProgramResult two = train_on("two", 2, {});
  EXPECT_EQ(threads_of("two"), std::max<int64_t>(1, cores / 2));
  EXPECT_THAT(two.err, Not(HasSubstr("warning: 2 processes")));
  train_on("four", 4, {});
  EXPECT_EQ(threads_of("four"), std::max<int64_t>(1, cores / 4));
  if (cores < 2) GTEST_SKIP() << "this machine has no second core that could stay idle";
  const ProgramResult one = train_on("one", 2, {"taskset", "-c", "0"});
  EXPECT_EQ(threads_of("one"), 1);
  EXPECT_THAT(one.err, HasSubstr(fmt::format("may use 1 of its {} cores; start with mpirun --map-by slot:PE=", cores)));
}

TEST_F(Processes, WithoutTheirModuleSaySo) {
  const std::string program = root_ / "bninception";
  std::filesystem::copy_file(BN_PROGRAM, program);
  ProgramOptions launched_by_hand = options();
  launched_by_hand.environment["OMPI_COMM_WORLD_SIZE"] = "2";
  const ProgramResult result =
      run_program({program, "train", root_ / "experiment.yaml", "--out", root_ / "run"}, launched_by_hand);
  EXPECT_EQ(result.exit_code, code(ExitCode::kUnsupported)) << result.err;
  EXPECT_THAT(result.err, HasSubstr("a launcher started several processes of this program, but its module for MPI does "
                                    "not load: "));
}

// Both would train into the same folder.
TEST_F(Processes, StartedByAnotherLibrarysLauncherAreRefused) {
  ProgramOptions of_mpich = options();
  of_mpich.environment["PMI_SIZE"] = "2";
  const ProgramResult result = run_program(train_arguments("run"), of_mpich);
  EXPECT_EQ(result.exit_code, code(ExitCode::kUnsupported)) << result.err;
  EXPECT_THAT(result.err, HasSubstr("a launcher started 2 processes of this program, but each sees itself alone: the "
                                    "launcher belongs to another MPI library"));
}

TEST_F(Processes, ThatSrunStartedWithoutMpiAreWarned) {
  ProgramOptions of_slurm = options();
  of_slurm.environment["SLURM_STEP_NUM_TASKS"] = "2";
  const ProgramResult several = run_program(train_arguments("run", {"--set", "train.steps=1"}), of_slurm);
  EXPECT_EQ(several.exit_code, 0) << several.err;
  EXPECT_THAT(several.err, HasSubstr("warning: srun started 2 processes without --mpi=pmix, so each trains by itself; "
                                     "with it they would share the 4 parts of a step\n"));
  of_slurm.environment["SLURM_STEP_NUM_TASKS"] = "1";
  const ProgramResult one = run_program(train_arguments("one", {"--set", "train.steps=1"}), of_slurm);
  EXPECT_THAT(one.err, Not(HasSubstr("srun")));
}

// As above, of a build without MPI; the other tests of this file are skipped there.
TEST(ProcessesOfABuildWithoutMpi, SaySo) {
  if (BN_HAS_MPI == 1) GTEST_SKIP() << "this build has MPI";
  const ProgramResult result = run_program({BN_PROGRAM, "train", "none.yaml"}, {.environment = {{"PMI_SIZE", "2"}}});
  EXPECT_EQ(result.exit_code, code(ExitCode::kUnsupported)) << result.err;
  EXPECT_THAT(result.err, HasSubstr("it was built without MPI: start it alone, or build it"));
}

}  // namespace
}  // namespace bn::test
