#include "core/files.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

#include "support/temporary_folder.hpp"

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

}  // namespace
}  // namespace bn
