#include "data/class_list.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>

#include "data/fixtures.hpp"

namespace bn {
namespace {

using namespace test;  // NOLINT(google-build-using-namespace)

using Names = std::vector<std::string>;

TEST(ClassList, ReadsTheFirstWordOfEachLine) {
  const TemporaryFolder dir;
  const auto path = dir.write("synsets.txt", "n02 goldfish, Carassius\n\n  n01\ttench\r\nn03");
  EXPECT_EQ(read_class_file(path, 0).names(), (Names{"n02", "n01", "n03"}));
  const auto limited = read_class_file(path, 2);
  EXPECT_EQ(limited.names(), (Names{"n02", "n01"}));
  EXPECT_EQ(limited.find("n01"), 1);
  EXPECT_EQ(limited.find("n03"), -1);
}

TEST(ClassList, SaysWhatIsWrongWithTheFile) {
  const TemporaryFolder dir;
  EXPECT_EQ(error_message<DataError>([] { read_class_file("/nowhere/c.txt", 0); }),
            "cannot open the classes file /nowhere/c.txt");
  const auto twice = dir.write("twice", "a\nb\na\n");
  EXPECT_EQ(error_message<DataError>([&] { read_class_file(twice, 0); }),
            "class 'a' appears twice in the classes file " + twice);
  const auto empty = dir.write("empty", "\n \n");
  EXPECT_EQ(error_message<DataError>([&] { read_class_file(empty, 0); }),
            "the classes file " + empty + " names no class; it needs one a line");
  const auto two = dir.write("two", "a\nb\n");
  EXPECT_EQ(error_message<DataError>([&] { read_class_file(two, 3); }),
            "classes_limit is 3, but the classes file " + two + " has only 2 classes");
}

// Opening one would wait for somebody who writes.
TEST(ClassList, APipeIsNoFile) {
  const TemporaryFolder dir;
  const std::string pipe = dir / "pipe";
  ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
  EXPECT_EQ(error_message<DataError>([&] { read_class_file(pipe, 0); }),
            "the classes file " + pipe + " is no regular file: write the names into one");
}

// A disk that fails makes no shorter list: of this process's memory, byte 0 is never readable (EIO).
TEST(ClassList, AFailingDiskIsAnErrorOfTheStorage) {
  const TemporaryFolder dir;
  const std::string path = dir / "classes.txt";
  std::filesystem::create_symlink("/proc/self/mem", path);
  const std::string message = "cannot read '" + path + "': Input/output error";
  EXPECT_EQ(error_message<StorageError>([&] { read_class_file(path, 0); }), message);
  DataOptions options;
  options.classes = path;
  EXPECT_EQ(error_message<StorageError>([&] { class_words(options, {"a"}); }), message);
}

TEST(ClassWords, AreTheRestOfEachLine) {
  const TemporaryFolder dir;
  DataOptions options;
  options.classes =
      dir.write("synsets.txt", "\xEF\xBB\xBFn02 goldfish, Carassius \r\n\n  n01\t tench\nn03\nn04 unused\n");
  EXPECT_EQ(class_words(options, {"n01", "n02", "n03"}), (Names{"tench", "goldfish, Carassius", ""}));
  options.classes = dir.write("names.txt", "n01\nn02\n");
  EXPECT_EQ(class_words(options, {"n01", "n02"}), Names{});
  options.classes = "";
  EXPECT_EQ(class_words(options, {"n01"}), Names{});
}

TEST(ClassList, SortsTheNamesFound) {
  const auto list = choose_classes({.classes_limit = 2}, Split::kTrain, {"cat", "ape", "dog", "ape"}, nullptr);
  EXPECT_EQ(list.names(), (Names{"ape", "cat"}));
}

TEST(ClassList, BothSplitsMustHaveTheSameClasses) {
  const DataOptions options{.train = {"/t"}};
  const auto choose = [&](const Names& training, const Names& validation) {
    return choose_classes(options, Split::kValidation, validation, [&] { return training; });
  };
  const auto refusal = [&](const Names& training, const Names& validation) {
    return error_message<DataError>([&] { choose(training, validation); });
  };
  EXPECT_EQ(choose({"b", "a"}, {"a", "b"}).names(), (Names{"a", "b"}));
  const std::string advice = " set; correct the paths, or name a classes file that lists those to use";
  const std::string differ = "the training and validation sets have different classes: ";
  EXPECT_EQ(refusal({"a", "b"}, {"a"}), differ + "'b' is only in the training" + advice);
  EXPECT_EQ(refusal({"a"}, {"a", "b"}), differ + "'b' is only in the validation" + advice);
  EXPECT_EQ(refusal({"a", "c"}, {"b", "c"}), differ + "'a' is only in the training" + advice);
  EXPECT_EQ(refusal({"b", "c"}, {"a", "c"}), differ + "'a' is only in the validation" + advice);
}

TEST(ClassList, NamesTheFirstEmptyClass) {
  const ClassList list({"a", "b", "c"}, "the list");
  EXPECT_NO_THROW(list.check_none_empty({2, 1, 0}, "/set"));
  EXPECT_EQ(error_message<DataError>([&] {
              list.check_none_empty({0, 2, 0}, "/set");
            }),
            "class 'b' (number 2 of the list) has no image in /set");
}

TEST(ClassList, KnowsImagesByTheirNames) {
  for (const char* name : {"a.jpg", "x/y/n01_1.JPEG", "a.b.PnG", "a.webp"}) EXPECT_TRUE(has_image_name(name)) << name;
  for (const char* name : {"a.txt", "jpg", "x.jpg/readme", "._a.jpg", "x/.hidden.png", "a.jpg.part", ""}) {
    EXPECT_FALSE(has_image_name(name)) << name;
  }
}

}  // namespace
}  // namespace bn
