#include "data/file_reader.hpp"

#include <gtest/gtest.h>

#include "data/fixtures.hpp"

namespace bn {
namespace {

using namespace test;  // NOLINT(google-build-using-namespace)

TEST(FileReader, ReadsAtAnOffset) {
  const TempDir dir;
  const FileReader file(dir.write("f", bytes_of("0123456789")));
  EXPECT_EQ(file.size(), 10);
  Bytes part(3);
  file.read(4, 3, part.data());
  EXPECT_EQ(part, bytes_of("456"));
  EXPECT_EQ(message_of([&] { file.read(8, 3, part.data()); }), dir.path("f") + " ends before byte 11");
}

TEST(FileReader, SaysWhyItCannotOpen) {
  const TempDir dir;
  EXPECT_EQ(message_of([] { FileReader("/nowhere/f"); }), "cannot open /nowhere/f (No such file or directory)");
  EXPECT_EQ(message_of([&] { FileReader(dir.path()); }), "cannot read " + dir.path() + ": it is not a regular file");
}

}  // namespace
}  // namespace bn
