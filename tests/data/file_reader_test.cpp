#include "data/file_reader.hpp"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <filesystem>

#include "data/fixtures.hpp"
#include "support/child_process.hpp"

namespace bn {
namespace {

using namespace test;  // NOLINT(google-build-using-namespace)

TEST(FileReader, ReadsAtAnOffset) {
  const TemporaryFolder dir;
  const FileReader file(dir.write("f", "0123456789"));
  EXPECT_EQ(file.size(), 10);
  Bytes part(3);
  file.read(4, 3, part.data());
  EXPECT_EQ(part, bytes_of("456"));
  EXPECT_EQ(error_message<DataError>([&] { file.read(8, 3, part.data()); }), dir / "f" + " ends before byte 11");
}

TEST(FileReader, SkipsWhatWasNeverWritten) {
  const TemporaryFolder dir;
  const std::string path = dir.write("f", "0123456789");
  std::filesystem::resize_file(path, 1 << 24);
  const FileReader file(path);
  EXPECT_EQ(file.next_written(3), 3);
  EXPECT_EQ(file.next_written(1 << 23), 1 << 24);
}

TEST(FileReader, SaysWhyItCannotOpen) {
  const TemporaryFolder dir;
  EXPECT_EQ(error_message<DataError>([] { FileReader("/nowhere/f"); }),
            "cannot open /nowhere/f (No such file or directory)");
  EXPECT_EQ(error_message<DataError>([&] { FileReader(dir.path()); }),
            "cannot read " + dir.path() + ": it is not a regular file");
}

TEST(FileReader, DoesNotWaitForAPipesWriter) {
  const TemporaryFolder dir;
  const std::string path = dir / "pipe";
  ASSERT_EQ(mkfifo(path.c_str(), 0600), 0);
  EXPECT_EQ(error_message<DataError>([&] { FileReader reader(path); }),
            "cannot read " + path + ": it is not a regular file");
}

// A disk that fails is no damaged image, which a run may skip: of this process's memory, byte 0 is never readable
// (EIO).
TEST(FileReader, AFailingDiskIsAnErrorOfTheStorage) {
  const FileReader file("/proc/self/mem");
  uint8_t byte = 0;
  EXPECT_EQ(error_message<StorageError>([&] { file.read(0, 1, &byte); }),
            "cannot read /proc/self/mem (Input/output error)");
}

TEST(FileReader, TooManyOpenFilesAreAnErrorOfTheStorage) {
#ifdef __SANITIZE_ADDRESS__
  GTEST_SKIP() << "the sanitizer itself needs a file descriptor";
#endif
  EXPECT_EQ(result_in_child([] {
              const rlimit none{.rlim_cur = 0, .rlim_max = 0};
              setrlimit(RLIMIT_NOFILE, &none);
              return error_message<StorageError>([] { FileReader("/dev/null"); });
            }),
            "cannot open /dev/null (Too many open files)");
}

}  // namespace
}  // namespace bn
