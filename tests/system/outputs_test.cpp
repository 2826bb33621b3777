#include "system/outputs.hpp"

#include <gtest/gtest.h>

#include <filesystem>

#include "bn/error.hpp"
#include "support/error_message.hpp"
#include "support/temporary_folder.hpp"

namespace bn {
namespace {

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
