#include "system/files.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <filesystem>
#include <thread>
#include <vector>

#include "bn/error.hpp"
#include "support/error_message.hpp"
#include "support/temporary_folder.hpp"
#include "system/outputs.hpp"

namespace bn {
namespace {

using test::TemporaryFolder;

TEST(WriteFile, ThreadsMayWriteTheSameNameAtOnce) {
  const TemporaryFolder folder;
  const std::string path = folder / "name";
  std::vector<std::thread> threads;
  std::atomic<int> failures = 0;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&, text = std::string(1000, static_cast<char>('a' + i))] {
      for (int round = 0; round < 50; ++round) {
        try {
          write_file(path, text);
        } catch (const std::exception&) {
          ++failures;
        }
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(failures, 0);
  const std::string text = test::read_bytes(path);
  EXPECT_EQ(text, std::string(1000, text[0]));
  EXPECT_EQ(test::names_in(folder.path()), std::set<std::string>{"name"});
}

TEST(AtomicFile, KeepsLinksAndWritesToPipes) {
  namespace fs = std::filesystem;
  const TemporaryFolder folder;
  test::write_bytes(folder / "target", "old");
  fs::create_symlink("target", folder / "link");
  write_file(folder / "link", "new");
  EXPECT_TRUE(fs::is_symlink(folder / "link"));
  EXPECT_EQ(test::read_bytes(folder / "target"), "new");
  fs::create_symlink("not_yet", folder / "dangling");
  write_file(folder / "dangling", "made");
  EXPECT_EQ(test::read_bytes(folder / "not_yet"), "made");

  ASSERT_EQ(mkfifo((folder / "pipe").c_str(), 0600), 0);
  const FileDescriptor reader(open((folder / "pipe").c_str(), O_RDONLY | O_NONBLOCK));
  write_file(folder / "pipe", "through");
  char text[16] = {};
  EXPECT_EQ(read(reader.get(), text, sizeof text), 7);
  EXPECT_STREQ(text, "through");
  EXPECT_TRUE(fs::is_fifo(folder / "pipe"));
  EXPECT_EQ(test::names_in(folder.path()), (std::set<std::string>{"target", "link", "dangling", "not_yet", "pipe"}));
}

// These are the descriptors that a shell's `> out` and `>> out` leave.
TEST(AtomicFile, WritesToADescriptorAtItsPlace) {
  const TemporaryFolder folder;
  test::write_bytes(folder / "out", "before\n");
  const FileDescriptor file(open((folder / "out").c_str(), O_WRONLY));
  ASSERT_EQ(lseek(file.get(), 0, SEEK_END), 7);
  std::filesystem::create_symlink("/dev/fd/" + std::to_string(file.get()), folder / "link");
  for (const std::string& name :
       {"/dev/fd/" + std::to_string(file.get()), "/proc/self/fd/" + std::to_string(file.get()), folder / "link"}) {
    EXPECT_TRUE(is_descriptor(name)) << name;
    AtomicFile written(name);
    written.append("0123\n", 5);
    written.overwrite(1, "x", 1);
    written.commit();
  }
  ASSERT_EQ(write(file.get(), "after\n", 6), 6);
  EXPECT_EQ(test::read_bytes(folder / "out"), "before\n0x23\n0x23\n0x23\nafter\n");
  EXPECT_FALSE(is_descriptor(folder / "out"));
}

TEST(AtomicFile, LeavesALoopOfLinksAlone) {
  const TemporaryFolder folder;
  std::filesystem::create_symlink("b", folder / "a");
  std::filesystem::create_symlink("a", folder / "b");
  EXPECT_EQ(test::error_message<StorageError>([&] { write_file(folder / "a", "text"); }),
            "cannot write '" + folder / "a" + "': Too many levels of symbolic links");
  EXPECT_EQ(test::names_in(folder.path()), (std::set<std::string>{"a", "b"}));
}

TEST(ReadFile, ReadsTheWholeOrTheBeginning) {
  const TemporaryFolder dir;
  const std::string path = dir.write("f", std::string(100'000, 'x') + "yz");
  std::string text;
  EXPECT_EQ(read_file(path, text), ReadResult::kRead);
  EXPECT_EQ(text.size(), 100'002U);
  EXPECT_EQ(read_file(path, text, 100'001), ReadResult::kRead);
  EXPECT_EQ(text, std::string(100'000, 'x') + "y");
  EXPECT_EQ(read_file(dir / "none", text), ReadResult::kMissing);
}

TEST(ReadFolder, SortsItsEntriesOrSaysWhyThereAreNone) {
  namespace fs = std::filesystem;
  const TemporaryFolder dir;
  dir.write("set/b", "b");
  dir.write("set/a/1", "1");
  fs::create_symlink("a", dir / "set/to_a");
  fs::create_symlink("nowhere", dir / "set/to_nothing");
  std::vector<std::string> names;
  std::vector<EntryKind> kinds;
  for (const fs::directory_entry& entry : read_folder(dir / "set").entries) {
    names.push_back(entry.path().filename().string());
    kinds.push_back(kind_of(entry));
  }
  EXPECT_EQ(names, (std::vector<std::string>{"a", "b", "to_a", "to_nothing"}));
  EXPECT_EQ(kinds, (std::vector{EntryKind::kFolder, EntryKind::kFile, EntryKind::kFolder, EntryKind::kOther}));
  EXPECT_TRUE(is_folder(dir / "set/to_a"));
  EXPECT_FALSE(is_folder(dir / "set/to_nothing"));
  EXPECT_EQ(read_folder(dir / "none").error, ENOENT);
  EXPECT_EQ(read_folder(dir / "set/b").error, ENOTDIR);
}

TEST(TemporaryName, IsToldFromAUsersOwn) {
  const TemporaryFolder folder;
  AtomicFile file(folder / "name");
  const auto names = test::names_in(folder.path());
  ASSERT_EQ(names.size(), 1U);
  EXPECT_TRUE(is_temporary_name(*names.begin())) << *names.begin();
  for (const char* temporary : {"a.tmp.12", "a.tmp.12.3"}) EXPECT_TRUE(is_temporary_name(temporary)) << temporary;
  for (const char* other : {"a", ".tmp.12", "a.tmp.", "a.tmp.x", "a.tmp.1x", "a.tmp.1.", "a.tmp..1", "a.tmp.1.2.3"}) {
    EXPECT_FALSE(is_temporary_name(other)) << other;
  }
}

TEST(CommonFolder, HoldsAllOrIsOneOfThem) {
  EXPECT_EQ(common_folder({"/runs/a/seed_1", "/runs/a/seed_2", "/runs/ab"}).string(), "/runs");
  EXPECT_EQ(common_folder({"runs/a", "runs"}).string(), "runs");
  EXPECT_EQ(common_folder({"runs/a"}).string(), "runs/a");
  EXPECT_EQ(common_folder({"runs", "studies"}).string(), "");
  EXPECT_EQ(common_folder({}).string(), "");
}

// A file of which nothing could be read may be anybody's. Of this process's memory, byte 0 is never readable (EIO).
TEST(Outputs, AFileThatCannotBeReadIsNotReplaced) {
  const test::TemporaryFolder dir;
  const std::string path = dir / "scores.csv";
  const auto expect = [&] { expect_replaceable("--csv", path, {}, [](const std::string&) { return true; }); };
  EXPECT_NO_THROW(expect());
  std::filesystem::create_symlink("/proc/self/mem", path);
  EXPECT_EQ(test::error_message<StorageError>(expect), "cannot read '" + path + "': Input/output error");
}

}  // namespace
}  // namespace bn
