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
  const TemporaryFolder dir;
  dir.write("set/ant/1.jpg", "1");
  dir.write("set/ant/.ipynb_checkpoints/1.jpg", "copy");
  dir.write("set/ant/@eaDir/1.jpg", "thumbnail");
  dir.write("set/ant/notes.txt", "no image");
  dir.write("set/ant/._1.jpg", "of a Mac");
  dir.write("set/.cache/1.jpg", "hidden");
  dir.write("set/readme.txt", "in no class");
  dir.write("set/bee/2.jpg", "2");
  dir.write("elsewhere/3.jpg", "3");
  fs::create_directory_symlink("..", dir / "set/ant/up");                 // would bring the bees in
  fs::create_directory_symlink(dir / "elsewhere", dir / "set/bee/more");  // is followed
  fs::create_symlink("nowhere.jpg", dir / "set/bee/gone.jpg");
  const auto set = open(dir / "set");
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
  const TemporaryFolder dir;
  dir.write("photos/b.jpg", "b");
  dir.write("photos/notes.txt", "no image");
  dir.write("elsewhere/a.jpg", "a");
  fs::create_directory_symlink(dir / "elsewhere", dir / "photos/more");  // is followed
  fs::create_directory_symlink(".", dir / "photos/again");
  std::vector<std::string> unreadable;
  const auto set = open_unlabelled_images({dir / "photos"}, {"x"}, unreadable);
  ASSERT_EQ(set->size(), 2);
  EXPECT_EQ(set->name(0), dir / "photos/b.jpg");
  EXPECT_EQ(set->name(1), dir / "photos/more/a.jpg");
  EXPECT_EQ(set->left_out().count, 2);
  EXPECT_CONTAINS(set->left_out().list(), "photos/notes.txt");
}

TEST(UnlabelledImages, OfAFolderThatIsMetAgainAreNamedByItsFirstPath) {
  namespace fs = std::filesystem;
  const TemporaryFolder dir;
  const std::string photos = dir / "photos";
  dir.write("photos/1.jpg", "1");
  dir.write("photos/deep/2.jpg", "2");
  fs::create_directory_symlink("deep", dir / "photos/a_link");  // met first, but the folder itself is read
  const auto open_all = [](const std::vector<std::string>& paths) {
    std::vector<std::string> unreadable;
    return open_unlabelled_images(paths, {"x"}, unreadable);
  };
  const std::string link = photos + "/a_link (the same folder as " + photos + "/deep)";
  const auto twice = open_all({photos, photos});
  ASSERT_EQ(twice->size(), 2);
  EXPECT_EQ(twice->name(1), photos + "/deep/2.jpg");
  EXPECT_EQ(twice->left_out().list(), link + ", " + photos + " (part of the set already)");
  const auto part_first = open_all({photos + "/deep", photos});
  ASSERT_EQ(part_first->size(), 2);
  EXPECT_EQ(part_first->left_out().list(), photos + "/deep (part of the set already), " + link);
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
  const TemporaryFolder dir;
  const Bytes b2 = bytes_of("b2");
  dir.write("set/bird/2.jpg", b2);
  dir.write("set/bird/10.JPEG", "b10");
  dir.write("set/bird/images/deep.png", "deep");
  dir.write("set/bird/notes.txt", "no image");
  dir.write("set/ape/1.png", "a1");
  dir.write("set/stray.jpg", "no class");
  dir.write("set/.cache/1.png", "hidden");
  const std::string root = dir / "set";
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
  const TemporaryFolder dir;
  for (const char* name : {"a", "b", "c"}) dir.write(std::string("set/") + name + "/1.jpg", name);
  const auto classes = dir.write("classes.txt", "c third\na first\n");
  const auto set = open(dir / "set", {.classes = classes});
  ASSERT_EQ(set->size(), 2);
  EXPECT_EQ(set->class_names(), (std::vector<std::string>{"c", "a"}));
  EXPECT_EQ(set->name(0), dir / "set/c/1.jpg");
  EXPECT_EQ(set->label(1), 1);
  EXPECT_EQ(open(dir / "set", {.classes = classes, .classes_limit = 1})->size(), 1);
}

TEST(FolderDataset, NamesAnEmptyClass) {
  const TemporaryFolder dir;
  dir.write("set/a/1.jpg", "a");
  std::filesystem::create_directory(dir / "set/b");
  EXPECT_EQ(error_message<DataError>([&] { open(dir / "set"); }),
            "class 'b' (number 2 of the list of class folders found) has no image in " + dir / "set");
  const auto classes = dir.write("classes.txt", "a\nzebra\n");
  EXPECT_EQ(error_message<DataError>([&] { open(dir / "set", {.classes = classes}); }),
            "class 'zebra' (number 2 of the classes file " + classes + ") has no image in " + dir / "set");
}

TEST(FolderDataset, SaysThatItFoundNothing) {
  const TemporaryFolder dir;
  EXPECT_EQ(error_message<DataError>([&] { open(dir.path()); }),
            "no classes found in " + dir.path() + ": it has no class folders (<class>/<image>.jpg)");
  dir.write("a/readme.txt", "text");
  EXPECT_EQ(error_message<DataError>([&] { open(dir.path()); }),
            "no images found in " + dir.path() +
                ": none of its 1 folders holds an image file of one of the 1 classes; "
                "image files are, by their names, JPEG, PNG, BMP, WebP, PPM, PGM and TIFF; there are " +
                dir / "a/readme.txt");
  EXPECT_EQ(error_message<DataError>([&] { open(dir / "nowhere"); }),
            "cannot open the image folder " + dir / "nowhere" + " (No such file or directory)");
}

TEST(FolderDataset, ValidationTakesItsClassesFromTheTrainingSet) {
  const TemporaryFolder dir;
  dir.write("train/a/1.jpg", "a");
  dir.write("train/b/1.jpg", "b");
  dir.write("val/b/1.jpg", "b");
  const DataOptions options{.kind = DatasetKind::kFolder, .train = {dir / "train"}, .validation = {dir / "val"}};
  EXPECT_CONTAINS(error_message<DataError>([&] { open_dataset(options, Split::kValidation); }),
                  "'a' is only in the training set");
  dir.write("val/a/1.jpg", "a");
  EXPECT_EQ(open_dataset(options, Split::kValidation)->label(0), 0);
}

TEST(FolderDataset, AFileThatVanishedIsNamed) {
  const TemporaryFolder dir;
  const auto file = dir.write("a/1.jpg", "a");
  const auto set = open(dir.path());
  std::filesystem::remove(file);
  Bytes storage;
  EXPECT_EQ(error_message<DataError>([&] { set->read(0, storage); }),
            "cannot open " + file + " (No such file or directory)");
}

TEST(FolderDataset, CountsTheImagesOfClassesThatAreNotListed) {
  const TemporaryFolder dir;
  for (const char* name : {"cat/1.jpg", "Cat/1.jpg", "Cat/2.jpg"}) dir.write(std::string("set/") + name, name);
  const auto set = open(dir / "set", {.classes = dir.write("classes.txt", "cat\n")});
  EXPECT_EQ(set->size(), 1);
  EXPECT_EQ(set->left_out().list(), dir / "set/Cat" + " (2 images of a class that is not listed)");
}

TEST(FolderDataset, AListedNameMayHaveSpacesWhereAFolderHas) {
  const TemporaryFolder dir;
  for (const char* name : {"golden retriever", "golden", "n01"}) dir.write(std::string("set/") + name + "/1.jpg", name);
  const DataOptions options{.classes = dir.write("classes.txt", "golden retriever\r\nn01 tench, Tinca tinca\n")};
  const auto set = open(dir / "set", options);
  EXPECT_EQ(set->class_names(), (std::vector<std::string>{"golden retriever", "n01"}));
  EXPECT_CONTAINS(set->left_out().list(), "set/golden (1 images of a class that is not listed)");
  EXPECT_EQ(class_words(options, set->class_names()), (std::vector<std::string>{"", "tench, Tinca tinca"}));
}

TEST(FolderDataset, RefusesFoldersOfSets) {
  const TemporaryFolder dir;
  dir.write("set/train/ant/1.jpg", "1");
  dir.write("set/val/ant/2.jpg", "2");
  const std::string message = error_message<DataError>([&] { open(dir / "set"); });
  EXPECT_CONTAINS(message, dir / "set" + " holds the folders 'train' and 'val', which look like sets");
  EXPECT_EQ(open(dir / "set", {.classes = dir.write("classes.txt", "train\nval\n")})->size(), 2);
}

TEST(FolderDataset, RecycleBinsAndThumbnailsAreNoImages) {
  const TemporaryFolder dir;
  dir.write("set/ant/1.jpg", "1");
  for (const char* name : {"ant/thumbnails/1.jpg", "ant/$RECYCLE.BIN/1.jpg", "#recycle/ant/1.jpg"}) {
    dir.write(std::string("set/") + name, "1");
  }
  const auto set = open(dir / "set");
  EXPECT_EQ(set->size(), 1);
  EXPECT_EQ(set->left_out().count, 3);
}

}  // namespace
}  // namespace bn
