// The program bn-data, started as a user would.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>

#include "bn/loader.hpp"
#include "cli/program.hpp"
#include "data/fixtures.hpp"
#include "packing/imagenet.hpp"

namespace bn {
namespace {

using namespace test;  // NOLINT(google-build-using-namespace)

class BnData : public testing::Test {
 protected:
  const TemporaryFolder dir_;
};

TEST_F(BnData, WritesTheShapesAsImageFolders) {
  const auto result = bn_data({"shapes", "--out", dir_ / "set", "--images", "20", "--validation-images", "10", "--size",
                               "16", "--seed", "3", "--contact-sheet", dir_ / "sheet.png"});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(result.out, dir_ / "set/train" + ": 20 images of 10 classes\n" + dir_ / "set/validation" +
                            ": 10 images of 10 classes\n" + dir_ / "sheet.png" + ": 16 images of each class\n");
  const DataOptions options{
      .kind = DatasetKind::kFolder, .train = {dir_ / "set/train"}, .validation = {dir_ / "set/validation"}};
  EXPECT_EQ(open_dataset(options, Split::kTrain)->size(), 20);
  EXPECT_EQ(open_dataset(options, Split::kValidation)->size(), 10);
  EXPECT_FALSE(read_bytes(dir_ / "sheet.png").empty());
}

TEST_F(BnData, WritesOneSplitAlone) {
  ASSERT_EQ(bn_data({"shapes", "--out", dir_ / "set", "--validation-images", "10", "--split", "validation"}).exit_code,
            0);
  EXPECT_EQ(names_in(dir_ / "set"), (std::set<std::string>{"validation"}));
}

TEST_F(BnData, ShapesAreWrittenIntoAFolderOfTheirOwn) {
  const auto shapes = [&](const char* images) {
    return bn_data({"shapes", "--out", dir_ / "set", "--images", images, "--split", "train", "--size", "16"});
  };
  EXPECT_EQ(shapes("20").exit_code, 0);
  EXPECT_EQ(shapes("20").exit_code, 0);  // the same once more
  const auto fewer = shapes("10");
  EXPECT_EQ(fewer.exit_code, code(ExitCode::kData));
  EXPECT_CONTAINS(fewer.err, "which is no image of this set: write into an empty folder");
  dir_.write("set/train/dogs/1.jpg", "a photo");
  EXPECT_CONTAINS(shapes("20").err, "holds 'dogs'");
}

TEST_F(BnData, SheetsReplaceNothingElse) {
  const auto draw = [&](const std::string& file) { return bn_data({"shapes", "--contact-sheet", file}); };
  EXPECT_EQ(draw(dir_ / "sheet.png").exit_code, 0);
  EXPECT_EQ(draw(dir_ / "sheet.png").exit_code, 0);
  EXPECT_EQ(draw(dir_.write("empty.png", "")).exit_code, 0);
  const std::string photo = dir_.write("photo.png", png_image(20, 20, 1));
  const auto refused = draw(photo);
  EXPECT_EQ(refused.exit_code, code(ExitCode::kConfig));
  EXPECT_CONTAINS(refused.err, "--contact-sheet");
  EXPECT_EQ(bytes_of(read_bytes(photo)), png_image(20, 20, 1));
}

// A file's name may hold what clears the screen, or worse.
TEST_F(BnData, NamesOnATerminalAreNoCommandsToIt) {
  const int terminal = posix_openpt(O_RDWR | O_NOCTTY);
  ASSERT_TRUE(terminal >= 0 && grantpt(terminal) == 0 && unlockpt(terminal) == 0);
  const std::vector<std::string> command{
      BN_DATA_PROGRAM, "shapes", "--out", dir_ / "a\x1b[2J", "--images", "10", "--validation-images", "10",
      "--split",       "train"};
  EXPECT_CONTAINS(run_program(command).out, "a\x1b[2J/train: 10 images");
  std::vector<std::string> shell{"/bin/sh", "-c", std::string("exec \"$@\" >") + ptsname(terminal), "sh"};
  shell.insert(shell.end(), command.begin(), command.end());
  EXPECT_EQ(run_program(shell).exit_code, 0);
  std::string shown;
  char block[512];
  ssize_t count = 0;
  while ((count = read(terminal, block, sizeof block)) > 0) shown.append(block, static_cast<size_t>(count));
  close(terminal);
  EXPECT_CONTAINS(shown, "a\\x1b[2J/train: 10 images");
  EXPECT_EQ(shown.find('\x1b'), std::string::npos) << shown;
}

TEST_F(BnData, RefusesValuesThatMeanNothing) {
  const std::vector<std::vector<std::string>> commands{
      {"pack", "folder", "--train", "/", "--out", ""},
      {"stats", "/", "--contact-sheet", ""},
      {"shapes", "--out", "x", "--images", "99999999999999"},
      {"shapes", "--out", "x", "--seed", "-1"},
      {"throughput", "x", "--images", "-5"},
      {"pack", "folder", "--train", "/", "--out", "x", "--validation-shards", "-3"},
  };
  for (const std::vector<std::string>& command : commands) {
    EXPECT_EQ(bn_data(command).exit_code, code(ExitCode::kUsage)) << command.front();
  }
  EXPECT_CONTAINS(bn_data(commands.front()).err, "the value is empty");
  for (const std::string seconds : {"nan", "-1", "0", "inf", "soon"}) {
    const auto refused = bn_data({"throughput", "x", "--seconds", seconds});
    EXPECT_EQ(refused.exit_code, code(ExitCode::kUsage)) << seconds;
    EXPECT_CONTAINS(refused.err, "--seconds: got '" + seconds + "', expected a number of seconds above 0");
  }
  EXPECT_CONTAINS(bn_data({"stats", "/", "--split", "tset"}).err, "'tset' is none of train, val, validation");
}

TEST_F(BnData, ExitCodesTellTheClassOfFailure) {
  const auto nothing = bn_data({"shapes"});
  EXPECT_EQ(nothing.exit_code, code(ExitCode::kUsage));
  EXPECT_EQ(nothing.err, "bn-data: shapes needs --out FOLDER or --contact-sheet FILE\n");
  const auto size = bn_data({"shapes", "--out", dir_ / "set", "--size", "8"});
  EXPECT_EQ(size.exit_code, code(ExitCode::kConfig));
  EXPECT_EQ(size.err, "bn-data: generated shapes are 16 to 512 pixels wide, not 8\n");
  dir_.write("file", "in the way");
  EXPECT_EQ(bn_data({"shapes", "--out", dir_ / "file"}).exit_code, code(ExitCode::kStorage));
}

// A tar of small JPEGs in class folders.
std::string source_tar(const TemporaryFolder& dir, int images) {
  std::vector<NamedBytes> members;
  for (int i = 0; i < images; ++i) {
    members.push_back(
        {"set/" + std::string(i % 2 == 0 ? "a/" : "b/") + std::to_string(i) + ".jpg", jpeg_image(60 + i % 9, 70, i)});
  }
  return dir.write("source.tar", tar_of(members));
}

TEST_F(BnData, PacksVerifiesAndMeasuresAFolder) {
  const std::string tar = source_tar(dir_, 40), out = dir_ / "out";
  const auto packed = bn_data({"pack", "folder", "--train", tar, "--val", tar, "--out", out, "--shards", "8"});
  ASSERT_EQ(packed.exit_code, 0) << packed.err;
  EXPECT_CONTAINS(packed.out, out + " train set: 40 images in 8 shards, ");
  EXPECT_CONTAINS(packed.out, out + " val set: 40 images in 1 shards, ");
  const auto verified = bn_data({"verify", out, "--decode"});
  EXPECT_EQ(verified.exit_code, 0) << verified.out;
  EXPECT_CONTAINS(verified.out, "train: 40 images of 2 classes in 8 shards, ");
  EXPECT_CONTAINS(verified.out, "note (duplicate): ");
  EXPECT_CONTAINS(verified.out,
                  "and 30 notes more; --json has all\n40 of the validation images are training images too\n");
  EXPECT_CONTAINS(verified.out, "\nno problem found\n");
  const auto stats =
      bn_data({"stats", out, "--contact-sheet", dir_ / "sheet.png", "--image-size", "32", "--distortion", "1"});
  EXPECT_EQ(stats.exit_code, 0) << stats.err;
  EXPECT_CONTAINS(stats.out, "  height  60 to 68, mean ");
  EXPECT_CONTAINS(stats.out, "  lighting: [");
  EXPECT_FALSE(read_bytes(dir_ / "sheet.png").empty());
  const auto validation = bn_data({"stats", out, "--split", "val", "--contact-sheet", dir_ / "val.png"});
  EXPECT_CONTAINS(validation.out, dir_ / "val.png" + ": 8 images of the val set, ");
  const auto speed = bn_data({"throughput", "--kind", "packed", out, "--image-size", "32", "--images", "64"});
  EXPECT_EQ(speed.exit_code, 0) << speed.err;
  EXPECT_CONTAINS(speed.out, " images/s, ");
}

TEST_F(BnData, VerifyPrintsJsonAndFailsOnAProblem) {
  const std::string out = dir_ / "out";
  ASSERT_EQ(bn_data({"pack", "folder", "--train", source_tar(dir_, 10), "--out", out, "--shards", "2"}).exit_code, 0);
  const auto sound = bn_data({"verify", out, "--json"});
  EXPECT_EQ(sound.exit_code, 0);
  EXPECT_CONTAINS(sound.out, "\"ok\": true");
  Bytes shard = bytes_of(read_bytes(out + "/train-00001.tar"));
  shard[700] ^= 1;
  dir_.write("out/train-00001.tar", shard);
  const auto damaged = bn_data({"verify", out, "--json"});
  EXPECT_EQ(damaged.exit_code, code(ExitCode::kData));
  EXPECT_CONTAINS(damaged.out, "\"ok\": false");
  EXPECT_CONTAINS(damaged.out, "\"kind\": \"image\"");
  EXPECT_CONTAINS(bn_data({"verify", out}).out, "\n2 problem(s) found\n");
  const auto nothing = bn_data({"verify", dir_.path()});
  EXPECT_EQ(nothing.exit_code, code(ExitCode::kData));
  EXPECT_CONTAINS(nothing.err, "holds no packed set");
}

TEST_F(BnData, PacksTheOfficialLayout) {
  REQUIRE_REAL_DATA("official-layout-sample/ILSVRC2012_img_train.sample.tar");
  const std::string folder = real_data("official-layout-sample"), out = dir_ / "out";
  const auto packed = bn_data({"pack", "imagenet", "--train", folder + "/ILSVRC2012_img_train.sample.tar", "--val",
                               folder + "/ILSVRC2012_img_val.sample.tar", "--out", out, "--shards", "3"});
  ASSERT_EQ(packed.exit_code, 0) << packed.err;
  EXPECT_CONTAINS(packed.out, "there is no MD5 to compare it with");
  EXPECT_CONTAINS(packed.out, "train set: 10 images in 3 shards, ");
  EXPECT_CONTAINS(packed.out, "  gray: 2\n  not JPEG: 1\n");
  EXPECT_EQ(bn_data({"verify", out, "--decode"}).exit_code, 0);
  const DataOptions options{.kind = DatasetKind::kPacked, .train = {out}, .validation = {out}, .image_size = 64};
  const auto train = open_dataset(options, Split::kTrain), validation = open_dataset(options, Split::kValidation);
  EXPECT_EQ(train->class_names().size(), 1000U);
  EXPECT_EQ(validation->size(), 15);
  Loader loader(*train, options, {.batch = 5});
  Batch batch;
  EXPECT_TRUE(loader.next(batch));
}

TEST_F(BnData, KilledAtAnyMomentPackingIsContinuedToTheSameBytes) {
  const std::string tar = source_tar(dir_, 400);
  const auto command = [&](const std::string& out) {
    return bn_data_command({"pack", "folder", "--train", tar, "--out", dir_ / out, "--shards", "40", "--workers", "2"});
  };
  ASSERT_EQ(run_program(command("whole")).exit_code, 0);
  int interrupted = 0;
  for (int round = 0; round < 12; ++round) {
    RunningProgram program(command("killed"));
    wait_until(std::chrono::seconds(5), [&] {  // each round waits for more files
      return program.has_ended() || (std::filesystem::exists(dir_ / "killed") &&
                                     static_cast<int>(names_in(dir_ / "killed").size()) > 6 * round);
    });
    program.signal(SIGKILL);
    interrupted += program.wait().exit_code == 0 ? 0 : 1;
  }
  EXPECT_GT(interrupted, 5);
  const auto last = run_program(command("killed"));
  ASSERT_EQ(last.exit_code, 0) << last.err;
  EXPECT_CONTAINS(last.out, "of the shards were there already");
  EXPECT_EQ(names_in(dir_ / "killed"), names_in(dir_ / "whole"));
  for (const auto& name : names_in(dir_ / "whole")) {
    EXPECT_TRUE(read_bytes(dir_ / ("killed/" + name)) == read_bytes(dir_ / ("whole/" + name))) << name;
  }
}

TEST_F(BnData, PackSaysWhatItNeeds) {
  const auto nothing = bn_data({"pack", "folder", "--out", dir_ / "out"});
  EXPECT_EQ(nothing.exit_code, code(ExitCode::kUsage));
  EXPECT_EQ(nothing.err, "bn-data: pack needs --train, --val or both\n");
  const std::string tar = source_tar(dir_, 2);
  const auto classes = bn_data({"pack", "imagenet", "--train", tar, "--classes",
                                dir_.write("c.txt", "n01440764\nnonsense\n"), "--out", dir_ / "out"});
  EXPECT_EQ(classes.exit_code, code(ExitCode::kData));
  EXPECT_EQ(classes.err, "bn-data: 'nonsense' is no class of ImageNet 2012\n");
}

TEST_F(BnData, OpensMoreShardsThanTheSoftLimitOfFiles) {
  const std::string out = dir_ / "out";
  ASSERT_EQ(bn_data({"pack", "folder", "--train", source_tar(dir_, 60), "--out", out, "--shards", "60"}).exit_code, 0);
  const auto stats = run_program({"/bin/sh", "-c", "ulimit -S -n 40; exec \"$0\" stats \"$1\"", BN_DATA_PROGRAM, out});
  EXPECT_EQ(stats.exit_code, 0) << stats.err;
}

TEST_F(BnData, PacksFoldersOrTarsNotBoth) {
  const std::string tar = source_tar(dir_, 4), out = dir_ / "out";
  dir_.write("folder/a/1.jpg", jpeg_image(20, 20, 1));
  dir_.write("folder/b/2.jpg", jpeg_image(20, 20, 2));
  const std::vector<std::string> command{"pack", "folder", "--train", tar, "--val", dir_ / "folder", "--out", out};
  const auto mixed = bn_data(command);
  EXPECT_EQ(mixed.exit_code, code(ExitCode::kUsage));
  EXPECT_EQ(mixed.err,
            "bn-data: one of --train and --val is a folder and the other a tar; give two of a kind, or name the "
            "classes with --classes\n");
  EXPECT_FALSE(std::filesystem::exists(out));
  auto named = command;
  named.insert(named.end(), {"--classes", dir_.write("classes.txt", "a\nb\n")});
  EXPECT_EQ(bn_data(named).exit_code, 0);
}

// An archive of the official size, mostly a hole.
TEST_F(BnData, PackNamesWhatItLeavesOut) {
  const Bytes image = jpeg_image(20, 20, 1);
  dir_.write("set/a/1.jpg", image);
  dir_.write("set/a/notes.txt", "no image");
  const std::string tar = dir_.write("set.tar", tar_of({{"a/1.jpg", image}, {"a/notes.txt", bytes_of("no image")}}));
  for (const std::string& source : {dir_ / "set", tar}) {
    const auto packed = bn_data({"pack", "folder", "--train", source, "--out", dir_ / "out", "--shards", "1"});
    EXPECT_EQ(packed.exit_code, 0) << packed.err;
    EXPECT_CONTAINS(packed.out, "left out, as no images of the set: ");
    EXPECT_CONTAINS(packed.out, "a/notes.txt\n");
    std::filesystem::remove_all(dir_ / "out");
  }
}

TEST_F(BnData, PackComparesTheClassesBeforeItPacks) {
  for (const char* name : {"train/a/1.jpg", "train/b/1.jpg", "val/a/1.jpg"}) dir_.write(name, jpeg_image(20, 20, 1));
  const auto packed =
      bn_data({"pack", "folder", "--train", dir_ / "train", "--val", dir_ / "val", "--out", dir_ / "out"});
  EXPECT_EQ(packed.exit_code, code(ExitCode::kData));
  EXPECT_CONTAINS(packed.err, "'b' is only in the training set");
  EXPECT_FALSE(std::filesystem::exists(dir_ / "out/train-00000.tar"));
}

TEST_F(BnData, TheMd5CanBeLeftOut) {
  const std::string tar = dir_.write("val.tar", tar_of({{"ILSVRC2012_val_00000001.JPEG", jpeg_image(40, 40, 1)}}));
  std::filesystem::resize_file(tar, static_cast<uintmax_t>(imagenet_archive(Split::kValidation).bytes));
  const auto packed = bn_data({"pack", "imagenet", "--val", tar, "--out", dir_ / "out", "--no-md5"});
  EXPECT_EQ(packed.exit_code, 0) << packed.err;
  EXPECT_CONTAINS(packed.out, " val set: 1 images in 1 shards, ");
  EXPECT_EQ(packed.out.find("MD5"), std::string::npos) << packed.out;
}

TEST_F(BnData, NotesOfTheMd5StayUntilBothSetsArePacked) {
  const std::string out = dir_ / "out";
  const std::string train =
      dir_.write("train.tar", tar_of({{"n01440764.tar", tar_of({{"n01440764_1.JPEG", jpeg_image(40, 40, 1)}})}}));
  dir_.write("out/train.md5.checked", "of a run before\n");
  dir_.write("out/train.md5", "the user's sums\n");
  const auto pack_with = [&](const char* validation_image) {
    const std::string val = dir_.write("val.tar", tar_of({{validation_image, jpeg_image(40, 40, 2)}}));
    return bn_data({"pack", "imagenet", "--train", train, "--val", val, "--out", out}).exit_code;
  };
  EXPECT_EQ(pack_with("not_official.JPEG"), code(ExitCode::kData));
  EXPECT_TRUE(std::filesystem::exists(out + "/train.md5.checked"));
  EXPECT_EQ(pack_with("ILSVRC2012_val_00000001.JPEG"), 0);
  EXPECT_EQ(names_in(out), (std::set<std::string>{"classes.txt", "train-00000.tar", "train.index", "train.md5",
                                                  "val-00000.tar", "val.index"}));
  EXPECT_EQ(read_bytes(out + "/train.md5"), "the user's sums\n");
}

}  // namespace
}  // namespace bn
