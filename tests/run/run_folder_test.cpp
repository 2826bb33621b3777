#include <fcntl.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <random>
#include <thread>

#include "bn/error.hpp"
#include "bn/run_folder.hpp"
#include "bn/run_log.hpp"
#include "bn/version.hpp"
#include "run/fixtures.hpp"
#include "run/folder_lock.hpp"
#include "support/child_process.hpp"
#include "support/error_message.hpp"
#include "support/temporary_folder.hpp"

namespace bn::test {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr bool kResume = true, kNew = false;
const std::string kStoredConfig = "train:\n  seed: 1\n";

void flip_a_byte(const std::string& path) {
  std::string bytes = read_bytes(path);
  bytes[bytes.size() / 2] = static_cast<char>(bytes[bytes.size() / 2] ^ 0x10);
  write_bytes(path, bytes);
}

void save_step(const RunFolder& folder, SmallModel& model, int64_t step) {
  model.fill(static_cast<uint32_t>(step));
  save_checkpoint(folder.checkpoint_path(step), model.parameters(), {.step = step}, kStoredConfig);
}

TEST(RunFolder, CreateLaysOutTheFolder) {
  const TemporaryFolder root;
  const RunFolder folder = RunFolder::create(root / "deep/run", kStoredConfig, kNew);
  EXPECT_EQ(names_in(folder.path()), (std::set<std::string>{"checkpoints", "config.yaml", "git.txt", "lock"}));
  EXPECT_TRUE(names_in(folder.path() + "/checkpoints").empty());
  EXPECT_EQ(folder.stored_config(), kStoredConfig);
  EXPECT_EQ(read_bytes(folder.path() + "/git.txt"), source_version() + "\n");
  EXPECT_EQ(folder.checkpoint_path(12'000), folder.path() + "/checkpoints/step_000012000.safetensors");
}

// A run is there once something was recorded.
void record_start(const std::string& run) { RunLog(RunFolder(run).log_path(), 0).write({.event = "start"}); }

TEST(RunFolder, HoldsOneRun) {
  const TemporaryFolder root;
  RunFolder::create(root / "run", kStoredConfig, kNew);
  record_start(root / "run");
  EXPECT_EQ(error_message<ConfigError>([&] { RunFolder::create(root / "run", kStoredConfig, kNew); }),
            "'" + root.path() + "/run' already holds a run; use --resume or another --out");
}

TEST(RunFolder, AStartThatRecordedNothingLeavesTheFolderFree) {
  const TemporaryFolder root;
  RunFolder::create(root / "run", kStoredConfig, kNew);
  write_bytes(root / "run/plan.txt", "conv1/conv conv2d\n");
  for (const std::string other : {"train:\n  seed: 2\n", "train:\n  seed: 3\n  a_newer_key: 1\n"}) {
    EXPECT_EQ(RunFolder::create(root / "run", other, other.ends_with("1\n")).stored_config(), other);
  }
}

TEST(RunFolder, AStartOfAnEarlierVersionLeavesTheFolderFree) {
  const TemporaryFolder root;
  root.write("run/git.txt", "v0.1.0-12-g0123456789ab-dirty\n");
  RunFolder::create(root / "run", kStoredConfig, kNew);
  EXPECT_EQ(read_bytes(root / "run/git.txt"), "v0.1.0-12-g0123456789ab-dirty\n" + source_version() + "\n");
}

TEST(RunFolder, ReplacesNoFileOfSomebodyElse) {
  const auto refused = [](const std::string& name, const std::string& config) {
    const TemporaryFolder root;
    root.write("run/" + name, "mine: 1\n");
    if (!config.empty()) root.write("run/config.yaml", config);
    const std::set<std::string> before = names_in(root / "run");
    for (const bool resume : {kNew, kResume}) {
      if (resume && name == "checkpoints/best.safetensors") continue;  // has a message of its own
      EXPECT_EQ(error_message<ConfigError>([&] { RunFolder::create(root / "run", kStoredConfig, resume); }),
                fmt::format("'{}/run' holds no run, but a file {}, which a run would replace: give another --out, or "
                            "move the file away",
                            root.path(), name));
    }
    EXPECT_EQ(read_bytes(root / ("run/" + name)), "mine: 1\n");
    EXPECT_EQ(names_in(root / "run"), before);
  };
  for (const char* name : {"config.yaml", "git.txt", "plan.txt", "made_of.json", "engines.txt"}) refused(name, "");
  refused("checkpoints/best.safetensors", "");
  refused("checkpoints/best.safetensors", kStoredConfig);  // no start that failed has left it
}

TEST(RunFolder, AFileOfAnotherKindIsNoConfigurationOfAStart) {
  for (const char* text : {"# mine\ntrain:\n  seed: 1\n", "train:\n  seed: 1\nmodel: {}\n", "base: a.yaml\n"}) {
    const TemporaryFolder root;
    root.write("run/config.yaml", text);
    error_message<ConfigError>([&] { RunFolder::create(root / "run", kStoredConfig, kNew); });
    EXPECT_EQ(read_bytes(root / "run/config.yaml"), text);
  }
}

TEST(RunFolder, ResumeKeepsTheStoredConfig) {
  const TemporaryFolder root;
  RunFolder::create(root / "run", kStoredConfig, kNew);
  record_start(root / "run");
  const RunFolder folder = RunFolder::create(root / "run", "other: 1\n", kResume);
  EXPECT_EQ(folder.stored_config(), kStoredConfig);
  folder.store_config("other: 1\n");
  EXPECT_EQ(RunFolder(root / "run").stored_config(), "other: 1\n");
}

TEST(RunFolder, ResumeOfNothingStartsARun) {
  const TemporaryFolder root;
  const RunFolder folder = RunFolder::create(root / "run", kStoredConfig, kResume);
  EXPECT_EQ(folder.stored_config(), kStoredConfig);
  EXPECT_TRUE(folder.checkpoint_steps().empty());
}

TEST(RunFolder, RecordsEachVersionThatWorkedOnIt) {
  const TemporaryFolder root;
  RunFolder::create(root / "run", kStoredConfig, kNew);
  RunFolder::create(root / "run", kStoredConfig, kResume);
  EXPECT_EQ(read_bytes(root / "run/git.txt"), source_version() + "\n");
  write_bytes(root / "run/git.txt", "0123456789ab\n");
  RunFolder::create(root / "run", kStoredConfig, kResume);
  EXPECT_EQ(read_bytes(root / "run/git.txt"), "0123456789ab\n" + source_version() + "\n");
}

TEST(RunFolder, UnwritableIsFoundAtOnce) {
  const TemporaryFolder root;
  write_bytes(root / "file", "");
  EXPECT_EQ(error_message<StorageError>([&] { RunFolder::create(root / "file/run", kStoredConfig, kNew); }),
            "cannot create folder '" + root.path() + "/file/run/checkpoints': Not a directory");

  RunFolder::create(root / "run", kStoredConfig, kNew);
  ASSERT_EQ(chmod((root / "run/lock").c_str(), 0666), 0);
  ASSERT_EQ(chmod((root / "run").c_str(), 0777), 0);
  ASSERT_EQ(chmod((root / "run/checkpoints").c_str(), 0555), 0);
  ASSERT_EQ(chmod(root.path().c_str(), 0755), 0);
  const std::string message = result_in_child([&]() -> std::string {
    if (getuid() == 0 && setuid(65'534) != 0) return "cannot drop privileges";  // root may write anywhere
    return error_message<StorageError>([&] { RunFolder::create(root / "run", kStoredConfig, kResume); });
  });
  ASSERT_EQ(chmod((root / "run/checkpoints").c_str(), 0755), 0);
  EXPECT_EQ(message,
            "cannot write '" + root.path() + "/run/checkpoints/step_000000000.safetensors': Permission denied");
}

TEST(RunFolder, LeavesTheUsersFilesAlone) {
  const TemporaryFolder root;
  const std::set<std::string> users{"thesis.tmp.2024", "report.tmp.1.2"};
  std::filesystem::create_directories(root / "run/checkpoints");
  for (const std::string& name : users) write_bytes(root / ("run/" + name), "mine");
  write_bytes(root / "run/checkpoints/probe", "mine");
  write_bytes(root / "run/config.yaml.tmp.77.0", "a killed run's");
  write_bytes(root / "run/checkpoints/step_000000007.safetensors.tmp.77.0", "a killed run's");
  const RunFolder folder = RunFolder::create(root / "run", "a: 1\n", false);
  const std::set<std::string> names = names_in(root / "run");
  EXPECT_TRUE(std::ranges::includes(names, users));
  EXPECT_FALSE(names.contains("config.yaml.tmp.77.0"));
  EXPECT_EQ(names_in(root / "run/checkpoints"), std::set<std::string>{"probe"});
}

TEST(RunFolder, ResumingFromABestAloneIsRefused) {
  const TemporaryFolder root;
  std::filesystem::create_directories(root / "run/checkpoints");
  write_bytes(root / "run/checkpoints/best.safetensors", "x");
  EXPECT_EQ(
      error_message<CheckpointError>([&] { RunFolder::create(root / "run", "a: 1\n", true); }),
      "'" + root / "run" +
          "' holds a best checkpoint but none to resume from: checkpoints/step_*.safetensors are gone; evaluate the "
          "best one, or train again with another --out");
}

TEST(RunFolder, OneProcessAtATime) {
  const TemporaryFolder root;
  {
    std::optional<RunFolder> folder = RunFolder::create(root / "run", kStoredConfig, kNew);
    const RunFolder copy = *folder;
    folder.reset();  // the copy holds the lock
    const std::string message = result_in_child(
        [&] { return error_message<StorageError>([&] { RunFolder::create(root / "run", kStoredConfig, kResume); }); });
    EXPECT_EQ(message, fmt::format("run folder '{}/run' is in use: process {} trains into it", root.path(), getpid()));
    EXPECT_EQ(RunFolder(root / "run").stored_config(), kStoredConfig);  // reading needs no lock
  }
  RunFolder::create(root / "run", kStoredConfig, kResume);  // let go of
}

TEST(FolderLock, IsNoFileOfSomebodyElse) {
  const TemporaryFolder folder;
  const std::string path = folder / "lock";
  for (const std::string text : {"my notes", "12\n13\n", "1234567890123456789012345678901234567890"}) {
    write_bytes(path, text);
    EXPECT_EQ(error_message<ConfigError>([&] { FolderLock(folder.path()); }),
              "'" + path + "' is there and is no lock of this program: give another --out, or move the file away");
    EXPECT_EQ(read_bytes(path), text);
  }
  for (const char* text : {"", "12\n", "12"}) {
    write_bytes(path, text);
    EXPECT_NO_THROW(FolderLock(folder.path()));
  }
}

TEST(FolderLock, WhoOnlyAsksHindersNobody) {
  const TemporaryFolder folder;
  EXPECT_FALSE(is_locked(folder.path()));
  {
    const FolderLock lock(folder.path());
    EXPECT_TRUE(is_locked(folder.path()));
  }
  EXPECT_FALSE(is_locked(folder.path()));
  const FileDescriptor asking(open((folder / "lock").c_str(), O_RDONLY | O_CLOEXEC));
  ASSERT_EQ(flock(asking.get(), LOCK_SH | LOCK_NB), 0);
  std::thread moment([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    flock(asking.get(), LOCK_UN);
  });
  EXPECT_NO_THROW(FolderLock(folder.path()));
  moment.join();
}

TEST(RunFolder, CheckpointStepsAreCheckpointsOnly) {
  const TemporaryFolder root;
  const RunFolder folder = RunFolder::create(root / "run", kStoredConfig, kNew);
  for (const char* name : {"step_000000020.safetensors", "step_000000003.safetensors", "step_1234567890.safetensors",
                           "step_20.safetensors", "step_000000004.safetensors.tmp.12", "step_.safetensors",
                           "step_-00000001.safetensors", "step_00000000x.safetensors", "best.safetensors",
                           "step_000000005.safetensors.damaged", "step_0000000021.safetensors", "notes.txt"}) {
    write_bytes(folder.path() + "/checkpoints/" + name, "");
  }
  EXPECT_EQ(folder.checkpoint_steps(), (std::vector<int64_t>{3, 20, 1'234'567'890}));
  EXPECT_TRUE(RunFolder(root / "none").checkpoint_steps().empty());
}

TEST(RunFolder, PruneKeepsTheLastAndTheBest) {
  const TemporaryFolder root;
  const RunFolder folder = RunFolder::create(root / "run", kStoredConfig, kNew);
  SmallModel model;
  for (const int64_t step : {1, 2, 3, 4, 5}) save_step(folder, model, step);
  folder.publish_best(1);
  folder.prune_checkpoints(2);
  EXPECT_EQ(folder.checkpoint_steps(), (std::vector<int64_t>{4, 5}));
  EXPECT_EQ(read_checkpoint_info(folder.best_path()).progress.step, 1);
  folder.prune_checkpoints(0);  // never all of them
  EXPECT_EQ(folder.checkpoint_steps(), (std::vector<int64_t>{5}));
}

TEST(RunFolder, PublishBestReplacesIt) {
  const TemporaryFolder root;
  const RunFolder folder = RunFolder::create(root / "run", kStoredConfig, kNew);
  SmallModel model;
  save_step(folder, model, 1);
  save_step(folder, model, 2);
  for (const int64_t step : {1, 2, 2, 1}) {  // the same one twice too
    folder.publish_best(step);
    EXPECT_EQ(read_checkpoint_info(folder.best_path()).progress.step, step);
    EXPECT_EQ(names_in(folder.path() + "/checkpoints").size(), 3U);
  }
  EXPECT_EQ(error_message<StorageError>([&] { folder.publish_best(3); }),
            "cannot read '" + folder.checkpoint_path(3) + "': No such file or directory");
  EXPECT_EQ(read_checkpoint_info(folder.best_path()).progress.step, 1);
}

TEST(RunFolder, ResumeRemovesWhatAKilledProcessLeft) {
  const TemporaryFolder root;
  RunFolder::create(root / "run", kStoredConfig, kNew);
  write_bytes(root / "run/checkpoints/step_000000004.safetensors.tmp.12", "half");
  write_bytes(root / "run/log.jsonl.tmp.12", "half");
  write_bytes(root / "run/checkpoints/notes.tmp.txt", "mine");
  RunFolder::create(root / "run", kStoredConfig, kResume);
  EXPECT_EQ(names_in(root / "run/checkpoints"), std::set<std::string>{"notes.tmp.txt"});
  EXPECT_FALSE(names_in(root / "run").contains("log.jsonl.tmp.12"));
}

TEST(RunFolder, DamageFallsBackAndIsSetAside) {
  const TemporaryFolder root;
  SmallModel model;
  std::vector<std::string> warnings;
  const auto warn = [&](const std::string& text) { warnings.push_back(text); };
  const RunFolder folder = RunFolder::create(root / "run", kStoredConfig, kNew);
  EXPECT_EQ(folder.load_latest(model.parameters(), warn), std::nullopt);
  save_step(folder, model, 10);
  const std::string bits = model.bits();
  save_step(folder, model, 20);
  save_step(folder, model, 30);
  flip_a_byte(folder.checkpoint_path(20));
  std::filesystem::resize_file(folder.checkpoint_path(30), 100);

  const auto info = RunFolder(root / "run").load_latest(model.parameters(), warn);  // a reader changes nothing
  EXPECT_EQ(folder.checkpoint_steps(), (std::vector<int64_t>{10, 20, 30}));
  ASSERT_TRUE(info.has_value());
  EXPECT_EQ(info->progress.step, 10);
  EXPECT_EQ(model.bits(), bits);
  ASSERT_EQ(warnings.size(), 2U);
  EXPECT_THAT(warnings[0], HasSubstr("step_000000030.safetensors' is damaged, or no checkpoint: "));
  EXPECT_THAT(warnings[0], HasSubstr("; trying the one before it"));
  EXPECT_THAT(warnings[1], HasSubstr("step_000000020.safetensors' is damaged: its checksum is "));

  EXPECT_EQ(folder.load_latest(model.parameters(), warn)->progress.step, 10);
  EXPECT_EQ(folder.checkpoint_steps(), (std::vector<int64_t>{10}));
  EXPECT_TRUE(std::filesystem::exists(folder.checkpoint_path(30) + ".damaged"));
}

TEST(RunFolder, AllDamagedIsAnErrorEachTime) {
  const TemporaryFolder root;
  SmallModel model;
  const RunFolder folder = RunFolder::create(root / "run", kStoredConfig, kNew);
  for (const int64_t step : {10, 20}) {
    save_step(folder, model, step);
    flip_a_byte(folder.checkpoint_path(step));
  }
  for (int repeat = 0; repeat < 2; ++repeat) {
    int warnings = 0;
    EXPECT_EQ(error_message<CheckpointError>(
                  [&] { folder.load_latest(model.parameters(), [&](const std::string&) { ++warnings; }); }),
              "none of the 2 checkpoints of run '" + root.path() + "/run' can be used");
    EXPECT_EQ(warnings, 2);
  }
}

TEST(RunFolder, AnotherNetworkIsNotDamage) {
  const TemporaryFolder root;
  SmallModel model, wider({.hidden = 7});
  const RunFolder folder = RunFolder::create(root / "run", kStoredConfig, kNew);
  save_step(folder, model, 10);
  save_step(folder, model, 20);
  const std::string message = error_message<CheckpointError>(
      [&] { folder.load_latest(wider.parameters(), [](const std::string& text) { ADD_FAILURE() << text; }); });
  EXPECT_THAT(message,
              HasSubstr("step_000000020.safetensors' was written by another network: 'value/hidden/linear/w'"));
  EXPECT_EQ(folder.checkpoint_steps(), (std::vector<int64_t>{10, 20}));
}

TEST(RunFolder, LockDiesWithItsProcess) {
  const TemporaryFolder root;
  run_and_kill(std::chrono::milliseconds(100), [&] {
    const RunFolder folder = RunFolder::create(root / "run", kStoredConfig, kNew);
    pause();
  });
  RunFolder::create(root / "run", kStoredConfig, kResume);
  EXPECT_EQ(read_bytes(root / "run/lock"), std::to_string(getpid()) + "\n");
}

// A process that saves, publishes and prunes without pause dies at a random moment, again and again in one folder.
TEST(RunFolder, SurvivesSigkillAtAnyMoment) {
  const TemporaryFolder root;
  std::mt19937 random(7);
  SmallModel model({.inputs = 400, .hidden = 100}), probe({.inputs = 400, .hidden = 100});
  RunFolder::create(root / "run", kStoredConfig, kNew);
  const RunFolder folder(root / "run");
  int64_t last = 0;
  for (int round = 0; round < 30; ++round) {
    run_and_kill(std::chrono::microseconds(1'000 + random() % 40'000), [&] {
      for (int64_t step = last + 1;; ++step) {
        save_step(folder, model, step);
        folder.publish_best(step);
        folder.prune_checkpoints(2);
      }
    });
    const auto info = folder.load_latest(probe.parameters(), [](const std::string& text) { ADD_FAILURE() << text; });
    if (!info) continue;  // killed before the first was complete
    ASSERT_GE(info->progress.step, last);
    last = info->progress.step;
    ASSERT_EQ(folder.checkpoint_steps().back(), last);
    model.fill(static_cast<uint32_t>(last));
    ASSERT_EQ(probe.bits(), model.bits());
    if (std::filesystem::exists(folder.best_path())) read_checkpoint_info(folder.best_path());
  }
  EXPECT_GT(last, 0);
  RunFolder::create(root / "run", kStoredConfig, kResume);
  for (const std::string& name : names_in(root / "run/checkpoints")) {
    EXPECT_THAT(name, Not(HasSubstr(".tmp.")));
  }
}

}  // namespace
}  // namespace bn::test
