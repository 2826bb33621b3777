#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>

#include "bn/data_options.hpp"
#include "bn/dataset.hpp"
#include "data/fixtures.hpp"

namespace bn {
namespace {

using namespace test;  // NOLINT(google-build-using-namespace)

std::unique_ptr<Dataset> open(const std::string& root, DataOptions options = {}) {
  options.kind = DatasetKind::kFolder;
  options.train = {root};
  return open_dataset(options, Split::kTrain);
}

TEST(FolderDataset, ReadsEachFolderOnceAndNamesWhatItLeavesOut) {
  namespace fs = std::filesystem;
  const TempDir dir;
  dir.write("set/ant/1.jpg", bytes_of("1"));
  dir.write("set/ant/.ipynb_checkpoints/1.jpg", bytes_of("copy"));
  dir.write("set/ant/@eaDir/1.jpg", bytes_of("thumbnail"));
  dir.write("set/ant/notes.txt", bytes_of("no image"));
  dir.write("set/ant/._1.jpg", bytes_of("of a Mac"));
  dir.write("set/.cache/1.jpg", bytes_of("hidden"));
  dir.write("set/readme.txt", bytes_of("in no class"));
  dir.write("set/bee/2.jpg", bytes_of("2"));
  dir.write("elsewhere/3.jpg", bytes_of("3"));
  fs::create_directory_symlink("..", dir.path("set/ant/up"));                     // would bring the bees in
  fs::create_directory_symlink(dir.path("elsewhere"), dir.path("set/bee/more"));  // is followed
  fs::create_symlink("nowhere.jpg", dir.path("set/bee/gone.jpg"));
  const auto set = open(dir.path("set"));
  ASSERT_EQ(set->size(), 3);
  EXPECT_EQ(set->left_out().count, 8);
  for (const std::string name :
       {"@eaDir", ".ipynb_checkpoints", "notes.txt", "gone.jpg", "._1.jpg", ".cache", "readme.txt"}) {
    const auto names = set->left_out().names;
    EXPECT_TRUE(std::any_of(names.begin(), names.end(), [&](const auto& path) { return path.ends_with(name); }))
        << name;
  }
}

TEST(UnlabelledImages, OfAFolderAreFoundOnceAndWhatIsLeftOutIsNamed) {
  namespace fs = std::filesystem;
  const TempDir dir;
  dir.write("photos/b.jpg", bytes_of("b"));
  dir.write("photos/notes.txt", bytes_of("no image"));
  dir.write("elsewhere/a.jpg", bytes_of("a"));
  fs::create_directory_symlink(dir.path("elsewhere"), dir.path("photos/more"));  // is followed
  fs::create_directory_symlink(".", dir.path("photos/again"));
  std::vector<std::string> unreadable;
  const auto set = open_unlabelled_images({dir.path("photos")}, {"x"}, unreadable);
  ASSERT_EQ(set->size(), 2);
  EXPECT_EQ(set->name(0), dir.path("photos/b.jpg"));
  EXPECT_EQ(set->name(1), dir.path("photos/more/a.jpg"));
  EXPECT_EQ(set->left_out().count, 2);
  EXPECT_NE(set->left_out().list().find("photos/notes.txt"), std::string::npos) << set->left_out().list();
}

TEST(LeftOut, NamesTenAndCountsTheRest) {
  LeftOut one, more;
  for (int i = 0; i < 8; ++i) one.add(std::to_string(i));
  for (int i = 8; i < 21; ++i) more.add(std::to_string(i));
  one.add(more);
  EXPECT_EQ(one.count, 21);
  EXPECT_EQ(one.list(), "0, 1, 2, 3, 4, 5, 6, 7, 8, 9 and 11 more");
}

TEST(FolderDataset, ListsClassesAndImagesInOrder) {
  const TempDir dir;
  const Bytes b2 = bytes_of("b2");
  dir.write("set/bird/2.jpg", b2);
  dir.write("set/bird/10.JPEG", bytes_of("b10"));
  dir.write("set/bird/images/deep.png", bytes_of("deep"));
  dir.write("set/bird/notes.txt", bytes_of("no image"));
  dir.write("set/ape/1.png", bytes_of("a1"));
  dir.write("set/stray.jpg", bytes_of("no class"));
  dir.write("set/.cache/1.png", bytes_of("hidden"));
  const std::string root = dir.path("set");
  const auto set = open(root + "/");
  EXPECT_EQ(set->class_names(), (std::vector<std::string>{"ape", "bird"}));
  ASSERT_EQ(set->size(), 4);
  EXPECT_EQ(set->name(0), root + "/ape/1.png");
  EXPECT_EQ(set->name(1), root + "/bird/10.JPEG");
  EXPECT_EQ(set->name(2), root + "/bird/2.jpg");
  EXPECT_EQ(set->name(3), root + "/bird/images/deep.png");
  EXPECT_EQ(set->label(0), 0);
  EXPECT_EQ(set->label(3), 1);
  Bytes storage;
  const auto sample = set->read(2, storage);
  EXPECT_EQ(sample.raw_channels, 0);
  EXPECT_EQ(Bytes(sample.data, sample.data + sample.bytes), b2);
}

TEST(FolderDataset, TheClassesFileChoosesAndOrders) {
  const TempDir dir;
  for (const char* name : {"a", "b", "c"}) dir.write(std::string("set/") + name + "/1.jpg", bytes_of(name));
  const auto classes = dir.write("classes.txt", bytes_of("c third\na first\n"));
  const auto set = open(dir.path("set"), {.classes = classes});
  ASSERT_EQ(set->size(), 2);
  EXPECT_EQ(set->class_names(), (std::vector<std::string>{"c", "a"}));
  EXPECT_EQ(set->name(0), dir.path("set/c/1.jpg"));
  EXPECT_EQ(set->label(1), 1);
  EXPECT_EQ(open(dir.path("set"), {.classes = classes, .classes_limit = 1})->size(), 1);
}

TEST(FolderDataset, NamesAnEmptyClass) {
  const TempDir dir;
  dir.write("set/a/1.jpg", bytes_of("a"));
  std::filesystem::create_directory(dir.path("set/b"));
  EXPECT_EQ(message_of([&] { open(dir.path("set")); }),
            "class 'b' (number 2 of the list of class folders found) has no image in " + dir.path("set"));
  const auto classes = dir.write("classes.txt", bytes_of("a\nzebra\n"));
  EXPECT_EQ(message_of([&] { open(dir.path("set"), {.classes = classes}); }),
            "class 'zebra' (number 2 of the classes file " + classes + ") has no image in " + dir.path("set"));
}

TEST(FolderDataset, SaysThatItFoundNothing) {
  const TempDir dir;
  EXPECT_EQ(message_of([&] { open(dir.path()); }),
            "no classes found in " + dir.path() + ": it has no class folders (<class>/<image>.jpg)");
  dir.write("a/readme.txt", bytes_of("text"));
  EXPECT_EQ(message_of([&] { open(dir.path()); }),
            "no images found in " + dir.path() +
                ": none of its 1 folders holds an image file of one of the 1 classes; "
                "image files are, by their names, JPEG, PNG, BMP, WebP, PPM, PGM and TIFF");
  EXPECT_EQ(message_of([&] { open(dir.path("nowhere")); }),
            "cannot open the image folder " + dir.path("nowhere") + " (No such file or directory)");
}

TEST(FolderDataset, ValidationTakesItsClassesFromTheTrainingSet) {
  const TempDir dir;
  dir.write("train/a/1.jpg", bytes_of("a"));
  dir.write("train/b/1.jpg", bytes_of("b"));
  dir.write("val/b/1.jpg", bytes_of("b"));
  const DataOptions options{
      .kind = DatasetKind::kFolder, .train = {dir.path("train")}, .validation = {dir.path("val")}};
  EXPECT_CONTAINS(message_of([&] { open_dataset(options, Split::kValidation); }), "'a' is only in the training set");
  dir.write("val/a/1.jpg", bytes_of("a"));
  EXPECT_EQ(open_dataset(options, Split::kValidation)->label(0), 0);
}

TEST(FolderDataset, AFileThatVanishedIsNamed) {
  const TempDir dir;
  const auto file = dir.write("a/1.jpg", bytes_of("a"));
  const auto set = open(dir.path());
  std::filesystem::remove(file);
  Bytes storage;
  EXPECT_EQ(message_of([&] { set->read(0, storage); }), "cannot open " + file + " (No such file or directory)");
}

}  // namespace
}  // namespace bn
