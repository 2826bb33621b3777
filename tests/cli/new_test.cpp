// From a folder of images to a network in use.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "bn/config.hpp"
#include "bn/error.hpp"
#include "cli/program.hpp"
#include "support/temporary_folder.hpp"

namespace bn::test {
namespace {

using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

namespace fs = std::filesystem;

class New : public testing::Test {
 protected:
  void SetUp() override {
    write_shapes(folder_ / "shapes", 20, 40, 20);
    for (const auto& entry : fs::recursive_directory_iterator(folder_ / "shapes/train")) {
      if (entry.is_regular_file()) images_.push_back(read_bytes(entry.path().string()));
    }
    ASSERT_EQ(images_.size(), 40U);
  }

  // Makes each file differ from all others by bytes after the end of the image, where PNG readers stop.
  void add(const std::string& place, int64_t count) {
    fs::create_directories(folder_ / place);
    for (int64_t i = 0; i < count; ++i, ++added_) {
      const std::string& image = images_[static_cast<size_t>(added_) % images_.size()];
      write_bytes(folder_ / place + "/" + std::to_string(added_) + ".png", image + std::to_string(added_));
    }
  }
  ProgramResult make(const std::string& images) const {
    fs::remove(folder_ / "mine.yaml");
    return bninception({"new", folder_ / images, "--out", folder_ / "mine.yaml"});
  }
  std::string error(const std::string& images) const {
    const ProgramResult result = make(images);
    EXPECT_EQ(result.exit_code, code(ExitCode::kData)) << result.err;
    EXPECT_EQ(result.out, "");
    EXPECT_FALSE(fs::exists(folder_ / "mine.yaml"));
    return result.err;
  }
  Config config() const { return load_config(folder_ / "mine.yaml"); }

  const TemporaryFolder folder_;
  std::vector<std::string> images_;
  int64_t added_ = 0;
};

TEST_F(New, ThreeCommandsLeadToAPrediction) {
  const ProgramOptions here{.folder = folder_.path()};
  const std::string made = output_of({"new", "shapes/train/"}, here);
  EXPECT_THAT(made, StartsWith("shapes/train/: 10 classes of 4 images, 20 x 20 pixels at the median\n"
                               "30 images to train on, 10 to validate, chosen by their contents\n"
                               "note: half of the classes have at most 4 images, too few to learn much from\n"
                               "wrote train.yaml: Inception at 64x64 pixels, "));
  Words commands;
  for (const std::string& line : lines_of(made)) {
    if (line.starts_with("  ")) commands.push_back(line);
  }
  ASSERT_EQ(commands.size(), 2U);
  commands[0] += " --quiet --set train.epochs=1 --set threads=1";
  const ProgramResult trained = run_program({"/bin/sh", "-c", commands[0]}, here);
  ASSERT_EQ(trained.exit_code, 0) << trained.err;
  const ProgramResult predicted = run_program({"/bin/sh", "-c", commands[1]}, here);
  ASSERT_EQ(predicted.exit_code, 0) << predicted.err;
  EXPECT_THAT(predicted.out, HasSubstr("shapes/train/"));
  EXPECT_THAT(predicted.out, HasSubstr(" %"));
  // The network can be scored on the images that were kept apart.
  EXPECT_THAT(output_of({"evaluate", folder_ / "runs/train"}), HasSubstr("over 10 images"));
  // And says so when it is scored on what it was trained on, or when the split is another one by now.
  EXPECT_THAT(error_of(0, {"evaluate", folder_ / "runs/train", "--data", folder_ / "shapes/train"}),
              HasSubstr("warning: the network was trained on images of " + folder_ / "shapes/train" +
                        ", so this says little about new ones\n"));
  // A checkpoint that comes back from PyTorch no longer says which images were kept.
  const std::string back = folder_ / "back.safetensors";
  output_of({"convert", folder_ / "runs/train", folder_ / "there", "--names", "pytorch"});
  output_of({"convert", folder_ / "there", back, "--names", "bninception", "--config", "train.yaml"}, here);
  EXPECT_THAT(error_of(0, {"evaluate", back}),
              HasSubstr("warning: " + back +
                        " does not say which images were kept for validation when it was trained, so it may have been "
                        "trained on some of these"));
  const std::string bytes = read_bytes(folder_ / "shapes/train/arrow/000000.png");
  for (int i = 0; i < 20; ++i) {
    write_bytes(folder_ / fmt::format("shapes/train/arrow/more{}.png", i), fmt::format("{}{}", bytes, i));
  }
  const std::string changed = error_of(4, {"evaluate", folder_ / "runs/train"});
  EXPECT_THAT(changed, HasSubstr("the images of data.train were changed, so the "));
  EXPECT_THAT(changed, HasSubstr("(then 10 were kept): restore them, or name other images by --data\n"));
}

TEST_F(New, WritesAFileOfFewLinesThatSaysWhatItFound) {
  add("my photos/cats: old", 30);
  add("my photos/dogs", 20);
  ASSERT_EQ(make("my photos").exit_code, 0);
  const std::string text = read_bytes(folder_ / "mine.yaml");
  EXPECT_LE(std::ranges::count(text, '\n'), 16);
  const Config config = this->config();
  EXPECT_EQ(config.model.classes, 2);
  EXPECT_EQ(config.data.kind, DatasetKind::kFolder);
  EXPECT_EQ(config.data.train, std::vector<std::string>{fs::canonical(folder_ / "my photos").string()});
  EXPECT_DOUBLE_EQ(config.data.split.validation, 0.2);
  EXPECT_EQ(config.data.exif_orientation, ExifOrientation::kApply);
  EXPECT_EQ(config.train.batch, 8);
  for (const double value : config.data.mean) EXPECT_GT(value, 0.05);
  for (const double value : config.data.std) EXPECT_GT(value, 0.05);
}

TEST_F(New, TakesTrainingAndValidationFoldersAsTheyAre) {
  const ProgramResult result = make("shapes");
  EXPECT_THAT(result.out, HasSubstr("40 images to train on, 20 to validate\n"));
  EXPECT_EQ(config().data.split.validation, 0);
  EXPECT_EQ(config().data.validation, std::vector<std::string>{fs::canonical(folder_ / "shapes/validation").string()});
  fs::remove_all(folder_ / "shapes/validation");
  EXPECT_THAT(make("shapes").out, HasSubstr("30 images to train on, 10 to validate, chosen by their contents\n"));
}

TEST_F(New, SaysWhichFoldersItTookAsWhat) {
  EXPECT_THAT(make("shapes").out,
              HasSubstr("note: 'train' holds the images to train on, 'validation' those to validate\n"));
  for (const char* name : {"a", "b"}) {
    for (const char* set : {"Train", "Val", "test", "raw"}) add(fmt::format("set/{}/{}", set, name), 5);
  }
  EXPECT_THAT(make("set").out, HasSubstr("note: 'Train' holds the images to train on, 'Val' those to validate; left "
                                         "out: 'test', 'raw'\n"));
  EXPECT_EQ(config().data.train, std::vector<std::string>{fs::canonical(folder_ / "set/Train").string()});
  EXPECT_EQ(config().data.validation, std::vector<std::string>{fs::canonical(folder_ / "set/Val").string()});
  fs::remove_all(folder_ / "set/Val");
  fs::remove_all(folder_ / "set/raw");
  fs::rename(folder_ / "set/test", folder_ / "set/testing");
  EXPECT_THAT(make("set").out, HasSubstr("10 images to train on, 10 to validate\n"));
  fs::remove_all(folder_ / "set/testing");
  EXPECT_THAT(make("set").out, HasSubstr("note: 'Train' holds the images to train on\n"));
}

TEST_F(New, RefusesFoldersThatMayBeMeantInTwoWays) {
  add("set/train/steam", 5);
  add("set/train/diesel", 5);
  add("set/bus", 5);
  add("set/car", 5);
  EXPECT_EQ(error("set"),
            fmt::format("error: {0} has the folder 'train' with folders in it, as a set of training images "
                        "has, and beside it 'bus', 'car'; if it is the set, name {0}/train, and if it is "
                        "a class, put its images right into it\n",
                        folder_ / "set"));
  fs::remove_all(folder_ / "set/train");
  add("set/train", 5);
  EXPECT_THAT(make("set").out, HasSubstr(": 3 classes of 5 images, "));
  add("two/train/a", 2);
  add("two/Training/a", 2);
  EXPECT_THAT(error("two"), HasSubstr("has the folders 'Training', 'train', and each may hold the training images"));
  add("alone/val/a", 2);
  add("alone/val/b", 2);
  EXPECT_THAT(error("alone"), HasSubstr("has the folder 'val' with folders in it, as a set of validation images has, "
                                        "but no such folder 'train'; "));
  add("flat/train", 2);
  add("flat/test", 2);
  EXPECT_THAT(error("flat"),
              HasSubstr("holds 4 images right in 'test' and 'train'; in each of these, every class needs "
                        "a folder\n"));
}

TEST_F(New, ReadsATarWhereItLies) {
  const auto tar = [&](const std::string& what) {
    const ProgramResult result =
        run_program({"/bin/sh", "-c", "cd " + (folder_ / "shapes") + " && tar cf ../set.tar " + what});
    EXPECT_EQ(result.exit_code, 0) << result.err;
  };
  tar("train");
  const ProgramResult result = make("set.tar");
  EXPECT_THAT(result.out, HasSubstr("30 images to train on, 10 to validate"));
  EXPECT_THAT(result.out, HasSubstr(" PHOTO.jpg\n"));
  EXPECT_EQ(config().data.kind, DatasetKind::kTar);
  tar("train validation");
  EXPECT_EQ(error("set.tar"), "error: " + (folder_ / "set.tar") +
                                  " holds 60 images below 'train' and 'validation'; unpack it and name the folder\n");
}

TEST_F(New, SaysWhatIsUnusualAboutTheClasses) {
  add("set/many", 60);
  add("set/few", 5);
  add("set/single", 1);
  write_bytes(folder_ / "set/few/notes.txt", "no image");
  write_bytes(folder_ / "set/few/broken.jpg", "no image");
  const ProgramResult result = make("set");
  EXPECT_THAT(result.out, HasSubstr("note: 1 class has a single image, which is trained on, so nothing tells whether "
                                    "the class is learned: single\n"));
  EXPECT_THAT(result.out, HasSubstr("note: half of the classes have at most 6 images, too few to learn much from\n"));
  EXPECT_THAT(result.out, HasSubstr("note: 'many' has 60 images and 'single' has 1: the network will answer with large "
                                    "classes too often\n"));
  EXPECT_THAT(result.out, HasSubstr("note: left out, as no images of the set: "));
  EXPECT_THAT(result.out,
              HasSubstr("note: 1 of the 67 images looked at cannot be decoded, and training leaves it out: "));
  EXPECT_THAT(result.out, HasSubstr("/broken.jpg: the data is damaged"));
}

TEST_F(New, SaysWhichFilesAndNamesMayBeMeantOtherwise) {
  add("set/Cat", 5);
  add("set/cat", 5);
  write_bytes(folder_ / "set/cat/a.HEIC", "a photo");
  write_bytes(folder_ / "set/cat/b.txt", "text");
  const ProgramResult result = make("set");
  EXPECT_THAT(result.out,
              HasSubstr("note: 'Cat' and 'cat' are two classes; put their images together if they mean one"));
  EXPECT_THAT(result.out, HasSubstr("; 1 of them HEIC, AVIF or GIF: convert these to JPEG first\n"));
  write_bytes(folder_ / "photos.zip", "PK\x03\x04" + std::string(600, 'x'));
  EXPECT_THAT(error("photos.zip"), HasSubstr("is a ZIP file; unpack it and name the folder"));
  add("outer/inner/a", 2);
  add("outer/inner/b", 2);
  EXPECT_THAT(error("outer"), HasSubstr("each a folder of its own; did you mean '"));
  EXPECT_THAT(error("outer"), HasSubstr("outer/inner'?\n"));
}

TEST_F(New, SaysWhichNamesLookTheSame) {
  for (const char* name : {"caf\u00e9", "cafe\u0301", "caf\u00e8", "cafe", "ph\u1edf", "pho\u031b\u0309"}) {
    add(std::string("set/") + name, 5);
  }
  const std::string text = make("set").out;
  const std::string differently = " are two classes, whose accents are stored differently; rename one folder";
  EXPECT_THAT(text, HasSubstr("note: 'cafe\u0301' and 'caf\u00e9'" + differently));
  EXPECT_THAT(text, HasSubstr("note: 'pho\u031b\u0309' and 'ph\u1edf'" + differently));
  EXPECT_THAT(text, Not(HasSubstr("'cafe' and")));
}

TEST_F(New, TrainsTheSmallestSet) {
  add("set/a", 2);
  add("set/b", 1);
  EXPECT_THAT(make("set").out, HasSubstr("2 images to train on, 1 to validate"));
  EXPECT_EQ(config().train.batch, 2);
  test::train(folder_ / "mine.yaml", folder_ / "run", test::set({"train.epochs=2", "threads=1"}));
}

TEST_F(New, KeepsLargePhotosInMemory) {
  write_shapes(folder_ / "large", 420, 20, 10);
  EXPECT_THAT(make("large").out, HasSubstr("420 x 420 pixels at the median"));
  EXPECT_EQ(config().data.cache, Cache::kShrunk);
  test::train(folder_ / "mine.yaml", folder_ / "run", test::set({"train.epochs=1", "threads=1"}));
  make("shapes");
  EXPECT_EQ(config().data.cache, Cache::kNone);
}

TEST_F(New, TakesThousandsOfClasses) {
  for (int c = 0; c < 5000; ++c) add("set/" + std::to_string(c), 2);
  EXPECT_THAT(make("set").out, HasSubstr(": 5000 classes of 2 images, "));
  EXPECT_EQ(config().model.classes, 5000);
}

TEST_F(New, RefusesWhatCannotBeTrained) {
  EXPECT_EQ(error("nowhere"), "error: there is no file or folder '" + (folder_ / "nowhere") + "'\n");
  add("flat", 3);
  EXPECT_THAT(error("flat"), HasSubstr("it has no class folders (<class>/<image>.jpg)"));
  add("one/cat", 3);
  EXPECT_EQ(error("one"), "error: " + (folder_ / "one") +
                              " has one class, 'cat'; a network needs two or more, each a folder of its own\n");
  add("singles/a", 1);
  add("singles/b", 1);
  EXPECT_THAT(error("singles"), HasSubstr("no image can be spared for validation"));
  for (const char* name : {"zwei\xfc", "two\nlines"}) {
    const std::string set = fmt::format("names{}", name[0] == 'z');
    add(set + "/" + name, 3);
    add(set + "/other", 3);
    EXPECT_EQ(error(set),
              fmt::format("error: class '{}' in the list of class folders found: its name is no line of UTF-8, "
                          "so other programs cannot read it from a checkpoint; give it another name\n",
                          name));
  }
  fs::create_directories(folder_ / "broken/a");
  fs::create_directories(folder_ / "broken/b");
  for (const char* name : {"a/1.jpg", "a/2.jpg", "b/1.jpg"}) write_bytes(folder_ / "broken/" + name, "no image");
  EXPECT_THAT(error("broken"), HasSubstr("no image of " + (folder_ / "broken") + " can be decoded; the first: "));
}

TEST_F(New, LeavesAFileThatIsThere) {
  write_bytes(folder_ / "there.yaml", "mine");
  EXPECT_EQ(error_of(ExitCode::kConfig, {"new", folder_ / "shapes", "--out", folder_ / "there.yaml"}),
            "error: " + (folder_ / "there.yaml") + " is there already; name another file with --out, or remove it\n");
  EXPECT_EQ(read_bytes(folder_ / "there.yaml"), "mine");
  error_of(ExitCode::kStorage, {"new", folder_ / "shapes", "--out", folder_ / "no/where.yaml"});
}

}  // namespace
}  // namespace bn::test
