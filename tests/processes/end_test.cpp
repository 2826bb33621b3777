// The end of several processes: asked for, of one of them, of the connection; and how the run goes on.
#include <signal.h>

#include <chrono>
#include <thread>

#include "processes/fixtures.hpp"

namespace bn::test {
namespace {

using std::chrono::milliseconds;
using testing::HasSubstr;
using Clock = std::chrono::steady_clock;

const std::vector<std::string> kEndless{"--set", "train.steps=1000000"};

// Starts a run, waits until it has begun, lets `act` do something to it, and expects all to end within seconds.
ProgramResult disturb(const std::vector<std::string>& command, const ProgramOptions& options,
                      const std::function<bool()>& has_begun, const std::function<void(RunningProgram&)>& act) {
  RunningProgram program(command, options);
  EXPECT_TRUE(wait_until(milliseconds(60'000), has_begun));
  const auto start = Clock::now();
  act(program);
  ProgramResult result = program.wait();
  EXPECT_LT(Clock::now() - start, std::chrono::seconds(20));  // 5 on an idle machine
  return result;
}

// mpirun hands SIGUSR1 on and waits for its processes. SIGTERM it answers with SIGCONT, SIGTERM and SIGKILL for them, a
// second apart or as many as it was told, and with an exit code of its own. Meanwhile it reads nothing that they print:
// a process that fills its pipe would wait there until it is killed.
struct StopSignal {
  int number = 0;
  int exit_code = 0;
};
class StoppedProcesses : public Processes, public testing::WithParamInterface<StopSignal> {};

TEST_P(StoppedProcesses, EndAtOneStepAndAnotherNumberGoesOn) {
  std::vector<std::string> quiet = kEndless;
  quiet.emplace_back("--quiet");
  ProgramOptions patient = options();
  patient.environment["OMPI_MCA_odls_base_sigkill_timeout"] = "4";
  const ProgramResult stopped = disturb(
      launched(4, train_arguments("run", quiet)), patient, [&] { return newest(folder("run")) > 0; },
      [](RunningProgram& program) { program.signal(GetParam().number); });
  EXPECT_EQ(stopped.exit_code, GetParam().exit_code) << stopped.err;
  const std::vector<LogRecord> log = read_log(folder("run").log_path());
  EXPECT_EQ(log.back().event, "interrupted");
  EXPECT_EQ(log.back().step, newest(folder("run")));
  const std::string end = fmt::format("train.steps={}", log.back().step + 10);
  ASSERT_EQ(train_by(2, "run", {"--resume", "--set", end}).exit_code, 0);
  ASSERT_EQ(run_program(train_arguments("reference", {"--set", end})).exit_code, 0);
  EXPECT_TRUE(checkpoint("run", log.back().step + 10) == checkpoint("reference", log.back().step + 10));
}

INSTANTIATE_TEST_SUITE_P(By, StoppedProcesses,
                         testing::Values(StopSignal{SIGTERM, 1}, StopSignal{SIGUSR1, code(ExitCode::kInterrupted)}));

class EndingProcesses : public Processes {
 protected:
  int64_t logged(const std::string& run, const std::string& event) const {
    if (!std::filesystem::exists(folder(run).log_path())) return 0;
    const std::vector<LogRecord> log = read_log(folder(run).log_path());
    return std::count_if(log.begin(), log.end(), [&](const LogRecord& record) { return record.event == event; });
  }
};

// An evaluation here takes a thousand times as long as a step.
TEST_F(EndingProcesses, InAnEvaluationMakeItWhenTheyGoOn) {
  const std::vector<std::string> evaluates{
      "--set", "train.steps=2", "--set", "train.evaluate_every=1", "--set", "data.shapes.validation_images=10000"};
  ASSERT_EQ(run_program(train_arguments("reference", evaluates)).exit_code, 0);
  const ProgramResult stopped = disturb(
      launched(2, train_arguments("run", evaluates)), options(), [&] { return logged("run", "train") == 1; },
      [](RunningProgram& program) { program.signal(SIGUSR1); });
  EXPECT_EQ(stopped.exit_code, code(ExitCode::kInterrupted)) << stopped.err;
  EXPECT_EQ(logged("run", "evaluate"), 0) << "the evaluation was not interrupted";
  EXPECT_EQ(newest(folder("run")), 1);
  std::vector<std::string> resume = evaluates;
  resume.emplace_back("--resume");
  ASSERT_EQ(train_by(2, "run", resume).exit_code, 0);
  EXPECT_EQ(curve(folder("run")), curve(folder("reference")));
  EXPECT_TRUE(checkpoint("run", 2) == checkpoint("reference", 2));
  EXPECT_TRUE(read_bytes(folder("run").best_path()) == read_bytes(folder("reference").best_path()));
}

TEST_F(EndingProcesses, OfAFinishedRunTellItsResultAgain) {
  const ProgramResult finished = train_by(2, "run", {"--json"});
  ASSERT_EQ(finished.exit_code, 0) << finished.err;
  const std::string log = read_bytes(folder("run").log_path()), last = checkpoint("run", 20);
  for (const int64_t processes : {2, 4}) {
    const ProgramResult again = train_by(processes, "run", {"--json", "--resume"});
    EXPECT_EQ(again.exit_code, 0) << again.err;
    EXPECT_EQ(again.out, finished.out);
    EXPECT_TRUE(read_bytes(folder("run").log_path()) == log);
    EXPECT_TRUE(checkpoint("run", 20) == last);
  }
}

// A scheduler may stop a job for a while: that is no silence of the others.
TEST_F(EndingProcesses, ThatWereStoppedForLongerThanTheirPatienceGoOn) {
  std::vector<std::string> patient = kEndless;
  patient.insert(patient.end(), {"--set", "distributed.timeout_seconds=4"});
  const ProgramResult result = disturb(
      launched(2, train_arguments("run", patient)), options(), [&] { return newest(folder("run")) > 0; },
      [&](RunningProgram& program) {
        for (const int number : {SIGSTOP, SIGCONT}) {
          for (const int rank : {0, 1}) {
            const std::optional<pid_t> process = process_of_rank(program.pid(), rank);
            ASSERT_TRUE(process);
            kill(*process, number);
          }
          if (number == SIGSTOP) std::this_thread::sleep_for(std::chrono::seconds(7));
        }
        const int64_t before = newest(folder("run"));
        EXPECT_TRUE(wait_until(milliseconds(10'000), [&] { return newest(folder("run")) > before; }));
        program.signal(SIGUSR1);
      });
  EXPECT_EQ(result.exit_code, code(ExitCode::kInterrupted)) << result.err;
}

class KilledProcess : public Processes, public testing::WithParamInterface<int> {};

TEST_P(KilledProcess, EndsAllAndTheRunGoesOn) {
  const ProgramResult killed = disturb(
      launched(2, train_arguments("run", kEndless)), options(), [&] { return newest(folder("run")) > 0; },
      [&](RunningProgram& program) {
        const std::optional<pid_t> victim = process_of_rank(program.pid(), GetParam());
        ASSERT_TRUE(victim);
        kill(*victim, SIGKILL);
      });
  EXPECT_NE(killed.exit_code, 0) << killed.err;
  const int64_t end = newest(folder("run")) + 20;
  const std::string length = fmt::format("train.steps={}", end);
  const ProgramResult resumed = train_by(4, "run", {"--resume", "--set", length});
  ASSERT_EQ(resumed.exit_code, 0) << resumed.err;
  ASSERT_EQ(run_program(train_arguments("reference", {"--set", length})).exit_code, 0);
  EXPECT_TRUE(checkpoint("run", end) == checkpoint("reference", end));
}

INSTANTIATE_TEST_SUITE_P(OfRank, KilledProcess, testing::Values(0, 1));

TEST_F(EndingProcesses, WithASilentOneEndByTheWatchdog) {
  std::vector<std::string> more = kEndless;
  more.insert(more.end(), {"--set", "distributed.timeout_seconds=3"});
  const ProgramResult result = disturb(
      launched(2, train_arguments("run", more)), options(), [&] { return newest(folder("run")) > 0; },
      [&](RunningProgram& program) {
        const std::optional<pid_t> victim = process_of_rank(program.pid(), 1);
        ASSERT_TRUE(victim);
        kill(*victim, SIGSTOP);
      });
  EXPECT_EQ(result.exit_code, code(ExitCode::kPeerLost)) << result.err;
  EXPECT_THAT(result.err, HasSubstr("error: process 0 on "));
  EXPECT_THAT(result.err, HasSubstr("has waited 3 s for the others: another process of this run ended or cannot be "
                                    "reached; continue with --resume"));
}

}  // namespace
}  // namespace bn::test
