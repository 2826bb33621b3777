// Each call of the system fails once: the program says so, or goes on to the same result; and all can be done again.
#include <gtest/gtest.h>

#include <fmt/format.h>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <functional>

#include "bn/run_folder.hpp"
#include "bn/run_log.hpp"
#include "cli/program.hpp"
#include "faults/campaign.hpp"
#include "support/error_message.hpp"

namespace bn::test {
namespace {

namespace fs = std::filesystem;

const std::map<std::string, std::vector<std::string>>& errors() {
  const auto number = [](int error) { return std::to_string(error); };
  static const std::map<std::string, std::vector<std::string>> kAll{
      {"open", {number(EIO), number(EMFILE), number(ENOSPC), number(EINTR)}},
      {"read", {number(EIO), number(EINTR), "short"}},
      {"pread", {number(EIO), number(EINTR), "short"}},
      {"write", {number(EIO), number(ENOSPC), number(EINTR), "short"}},
      {"pwrite", {number(EIO), number(ENOSPC), number(EINTR), "short"}},
      {"fsync", {number(EIO), number(ENOSPC)}},
      {"rename", {number(EIO), number(ENOSPC)}},
      {"link", {number(EIO), number(ENOSPC), number(EMLINK)}},
      {"unlink", {number(EIO)}},
      {"close", {number(EIO), number(EINTR)}},
      {"mkdir", {number(EIO), number(ENOSPC)}}};
  return kAll;
}

// The calls of each name that a program made, from the file that BN_CALLS named.
std::map<std::string, int64_t> calls_in(const std::string& file) {
  std::map<std::string, int64_t> calls;
  std::ifstream counts(file);
  int64_t count = 0;
  for (std::string name; counts >> name >> count;) {
    if (count > 0) calls[name] = count;
  }
  return calls;
}

// A command, and what it leaves where it succeeded.
struct Job {
  std::string name{};
  std::function<void()> prepare{};
  std::vector<std::string> command{}, again{};  // again: what is given after a failure
  std::function<std::map<std::string, std::string>(const ProgramResult&)> result{};
  std::map<std::string, std::string> reference{};
  std::map<std::string, int64_t> calls{};
};

class FailingCalls : public testing::Test {
 protected:
  FailingCalls() {
    EXPECT_EQ(run_program(experiment_.train("half", {"--set", "train.steps=20"})).exit_code, 0);
    write_shapes(experiment_ / "shapes", 24, 30, 20);
    const auto run = [this](const ProgramResult&) { return experiment_.result("run"); };
    add({.name = "train",
         .prepare = [this] { fs::remove_all(experiment_ / "run"); },
         .command = experiment_.train("run"),
         .again = experiment_.resume("run"),
         .result = run});
    add({.name = "resume",
         .prepare =
             [this] {
               fs::remove_all(experiment_ / "run");
               fs::copy(experiment_ / "half", experiment_ / "run", fs::copy_options::recursive);
             },
         .command = experiment_.resume("run"),
         .again = experiment_.resume("run"),
         .result = run});
    const std::vector<std::string> evaluate =
        bninception_command({"evaluate", experiment_ / "half", "--csv", experiment_ / "scores.csv"});
    add({.name = "evaluate",
         .prepare = [this] { fs::remove(experiment_ / "scores.csv"); },
         .command = evaluate,
         .again = evaluate,
         .result =
             [this](const ProgramResult& result) {
               const std::string scores = result.out.substr(0, result.out.rfind("), "));  // then the images a second
               return std::map<std::string, std::string>{{"scores", scores},
                                                         {"csv", read_bytes(experiment_ / "scores.csv")}};
             }});
    const std::vector<std::string> pack =
        bn_data_command({"pack", "folder", "--train", experiment_ / "shapes/train", "--val",
                         experiment_ / "shapes/validation", "--out", experiment_ / "packed", "--shards", "2"});
    add({.name = "pack",
         .prepare = [this] { fs::remove_all(experiment_ / "packed"); },
         .command = pack,
         .again = pack,
         .result = [this](const ProgramResult&) { return files_below(experiment_ / "packed"); }});
  }

  // Counts its calls, and keeps what it leaves undisturbed.
  void add(Job job) {
    job.prepare();
    const std::string file = experiment_ / "calls";
    const ProgramResult result =
        run_program(job.command, {.environment = {{"LD_PRELOAD", BN_FAILING_CALLS}, {"BN_CALLS", file}}});
    EXPECT_EQ(result.exit_code, 0) << job.name << ": " << result.err;
    job.reference = job.result(result);
    job.calls = calls_in(file);
    std::erase_if(job.calls, [](const auto& call) { return !errors().contains(call.first); });
    EXPECT_TRUE(job.calls.contains("open")) << "the calls are not seen";
    jobs_.push_back(std::move(job));
  }

  void try_once(const Job& job, const std::string& fault, Tally& tally) {
    job.prepare();
    const std::string mark = experiment_ / "failed";
    fs::remove(mark);
    const ProgramResult result = run_program(
        job.command,
        {.environment = {{"LD_PRELOAD", BN_FAILING_CALLS}, {"BN_FAILING_CALL", fault}, {"BN_FAILED", mark}}});
    if (!fs::exists(mark)) return tally.add("not reached");
    const std::string where = fmt::format("{}, {}", job.name, fault);
    EXPECT_EQ(what_is_wrong(result), "") << where;
    if (result.exit_code == 0) {
      tally.add("went on");
      EXPECT_TRUE(job.result(result) == job.reference) << where << "\n" << result.err;
      return;
    }
    tally.add(fmt::format("exit code {}", result.exit_code));
    const ProgramResult again = run_program(job.again);
    ASSERT_EQ(again.exit_code, 0) << where << "\n" << result.err << again.err;
    EXPECT_TRUE(job.result(again) == job.reference) << where << "\n" << result.err;
  }

  Experiment experiment_;
  std::vector<Job> jobs_;
};

TEST_F(FailingCalls, AreToldOrOvercome) {
  std::mt19937_64 random(first_seed());
  Tally tally("failing system calls");
  for (int64_t i = 0; i < trials(12); ++i) {
    const Job& job = jobs_[static_cast<size_t>(i) % jobs_.size()];
    const auto call = std::next(job.calls.begin(), static_cast<std::ptrdiff_t>(random() % job.calls.size()));
    const std::vector<std::string>& kinds = errors().at(call->first);
    try_once(job,
             fmt::format("{}:{}:{}", call->first, 1 + random() % static_cast<uint64_t>(call->second),
                         kinds[random() % kinds.size()]),
             tally);
  }
}

// Hours in, the disk with the images breaks for good: what was learned is saved, and the run goes on when it is mended.
TEST(FailingCallsForGood, LeaveACheckpoint) {
  const TemporaryFolder root;
  const std::string images = root / "images", run = root / "run", calls = root / "calls";
  write_shapes(images, 32, 30, 10);
  const auto train = [&](const std::string& out, const std::vector<std::string>& more) {
    const std::string config = std::string(BN_SOURCE_DIR) + "/configs/quickstart/batch_norm.yaml";
    std::vector<std::string> all{BN_PROGRAM, "train", config, "--out", out};
    const std::string data = fmt::format(
        "data={{kind: folder, resize_shorter: 0, train: [{0}/train], validation: [{0}/validation]}}", images);
    const std::vector<std::string> values{
        data, "data.image_size=32", "train.batch=10", "train.steps=40", "train.evaluate_every=40", "threads=1"};
    for (const std::string& value : values) {
      all.insert(all.end(), {"--set", value});
    }
    all.insert(all.end(), more.begin(), more.end());
    return all;
  };
  ASSERT_EQ(run_program(train(root / "reference", {}),
                        {.environment = {{"LD_PRELOAD", BN_FAILING_CALLS}, {"BN_CALLS", calls}}})
                .exit_code,
            0);
  const std::string fault = fmt::format("pread:{}+:{}", calls_in(calls).at("pread") / 2, EIO);
  const ProgramResult broken =
      run_program(train(run, {}), {.environment = {{"LD_PRELOAD", BN_FAILING_CALLS}, {"BN_FAILING_CALL", fault}}});
  EXPECT_EQ(broken.exit_code, 7);
  EXPECT_CONTAINS(broken.err, "(Input/output error)");
  const std::vector<LogRecord> log = read_log(RunFolder(run).log_path());
  EXPECT_EQ(log.back().event, "error");
  EXPECT_GT(log.back().step, 0);
  EXPECT_EQ(RunFolder(run).checkpoint_steps().back(), log.back().step);
  const ProgramResult mended = run_program(train(run, {"--resume"}));
  ASSERT_EQ(mended.exit_code, 0) << mended.err;
  EXPECT_TRUE(read_bytes(RunFolder(run).checkpoint_path(40)) ==
              read_bytes(RunFolder(root / "reference").checkpoint_path(40)));
}

// What lies in a folder, and how large a file is, cannot be read: neither a smaller set nor damaged data. A folder is
// read again where it failed once.
TEST(FailingCallsForGood, AboutFoldersAndSizesAreErrorsOfTheStorage) {
  const TemporaryFolder root;
  const std::string images = root / "images", calls = root / "calls";
  write_shapes(images, 24, 30, 10);
  const auto pack = [&](const std::string& name, const std::string& value) {
    fs::remove_all(root / "packed");
    return run_program(bn_data_command({"pack", "folder", "--train", images + "/train", "--val", images + "/validation",
                                        "--out", root / "packed", "--shards", "2"}),
                       {.environment = {{"LD_PRELOAD", BN_FAILING_CALLS}, {name, value}}});
  };
  ASSERT_EQ(pack("BN_CALLS", calls).exit_code, 0);
  const auto counts = calls_in(calls);
  for (const std::string name : {"readdir", "stat", "fstat"}) {
    const std::string fault = fmt::format("{}:{}+:{}", name, counts.at(name) / 2, EIO);
    const ProgramResult result = pack("BN_FAILING_CALL", fault);
    EXPECT_EQ(result.exit_code, code(ExitCode::kStorage)) << fault << result.err;
    EXPECT_CONTAINS(result.err, "Input/output error");
  }
  const ProgramResult once = pack("BN_FAILING_CALL", fmt::format("readdir:{}:{}", counts.at("readdir") / 2, EIO));
  EXPECT_EQ(once.exit_code, 0) << once.err;
}

}  // namespace
}  // namespace bn::test
