// The program bn-data, started as a user would.
#include <gtest/gtest.h>

#include "data/fixtures.hpp"
#include "support/child_process.hpp"

namespace bn {
namespace {

using namespace test;  // NOLINT(google-build-using-namespace)

ProgramResult bn_data(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), BN_DATA_PROGRAM);
  // The program, unlike this test, has no list of what tsan is to overlook (tsan_suppressions.cpp).
  return run_program(arguments, {.environment = {{"TSAN_OPTIONS", "detect_deadlocks=0"}}});
}

TEST(BnData, WritesTheShapesAsImageFolders) {
  const TempDir dir;
  const auto result = bn_data({"shapes", "--out", dir.path("set"), "--images", "20", "--validation-images", "10",
                               "--size", "16", "--seed", "3", "--contact-sheet", dir.path("sheet.png")});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(result.out, dir.path("set/train") + ": 20 images of 10 classes\n" + dir.path("set/validation") +
                            ": 10 images of 10 classes\n" + dir.path("sheet.png") + ": 16 images of each class\n");
  const DataOptions options{
      .kind = DatasetKind::kFolder, .train = {dir.path("set/train")}, .validation = {dir.path("set/validation")}};
  EXPECT_EQ(open_dataset(options, Split::kTrain)->size(), 20);
  EXPECT_EQ(open_dataset(options, Split::kValidation)->size(), 10);
  EXPECT_FALSE(read_file(dir.path("sheet.png")).empty());
}

TEST(BnData, WritesOneSplitAlone) {
  const TempDir dir;
  ASSERT_EQ(
      bn_data({"shapes", "--out", dir.path("set"), "--validation-images", "10", "--split", "validation"}).exit_code, 0);
  EXPECT_EQ(names_in(dir.path("set")), (std::set<std::string>{"validation"}));
}

TEST(BnData, ExitCodesTellTheClassOfFailure) {
  const TempDir dir;
  const auto nothing = bn_data({"shapes"});
  EXPECT_EQ(nothing.exit_code, static_cast<int>(ExitCode::kUsage));
  EXPECT_EQ(nothing.err, "bn-data: shapes needs --out FOLDER or --contact-sheet FILE\n");
  EXPECT_EQ(bn_data({}).exit_code, static_cast<int>(ExitCode::kUsage));
  EXPECT_EQ(bn_data({"shapes", "--sise", "3"}).exit_code, static_cast<int>(ExitCode::kUsage));
  const auto size = bn_data({"shapes", "--out", dir.path("set"), "--size", "8"});
  EXPECT_EQ(size.exit_code, static_cast<int>(ExitCode::kConfig));
  EXPECT_EQ(size.err, "bn-data: generated shapes are 16 to 512 pixels wide, not 8\n");
  dir.write("file", bytes_of("in the way"));
  EXPECT_EQ(bn_data({"shapes", "--out", dir.path("file")}).exit_code, static_cast<int>(ExitCode::kStorage));
  EXPECT_EQ(bn_data({"--help"}).exit_code, 0);
}

}  // namespace
}  // namespace bn
