#include <gtest/gtest.h>

#include <filesystem>
#include <map>

#include "bn/data_options.hpp"
#include "bn/dataset.hpp"
#include "data/fixtures.hpp"

namespace bn {
namespace {

using namespace test;  // NOLINT(google-build-using-namespace)

std::unique_ptr<Dataset> open(const std::vector<std::string>& tars, DataOptions options = {}) {
  options.kind = DatasetKind::kTar;
  options.train = tars;
  return open_dataset(options, Split::kTrain);
}

TEST(TarDataset, AClassMayHoldFoldersAndHiddenOnesAreLeftOut) {
  const TemporaryFolder dir;
  const Bytes image = bytes_of("x");
  const auto set = open({dir.write("one.tar", tar_of({{"train/ant/red/1.jpg", image},
                                                      {"train/ant/.ipynb_checkpoints/2.jpg", image},
                                                      {"train/bee/3.jpg", image},
                                                      {"train/bee/@eaDir/3.jpg", image},
                                                      {"train/bee/notes.txt", image}}))});
  EXPECT_EQ(set->class_names(), (std::vector<std::string>{"ant", "bee"}));
  EXPECT_EQ(set->size(), 2);
  EXPECT_EQ(set->left_out().count, 3);
}

TEST(TarDataset, JoinsSeveralTars) {
  const TemporaryFolder dir;
  const auto first = dir.write("one.tar", tar_of({{"train/b/1.jpg", bytes_of("b1")}, {"train/readme.txt", {}}}));
  const auto second = dir.write("two.tar", tar_of({{"./a/1.jpg", bytes_of("a1")}, {"b/2.jpg", bytes_of("b2")}}));
  const auto set = open({first, second});
  EXPECT_EQ(set->class_names(), (std::vector<std::string>{"a", "b"}));
  ASSERT_EQ(set->size(), 3);
  EXPECT_EQ(set->name(0), "one.tar:train/b/1.jpg");
  EXPECT_EQ(set->name(1), "two.tar:./a/1.jpg");
  EXPECT_EQ(set->name(2), "two.tar:b/2.jpg");
  EXPECT_EQ(set->label(0), 1);
  EXPECT_EQ(set->label(1), 0);
  Bytes storage;
  const auto sample = set->read(2, storage);
  EXPECT_EQ(Bytes(sample.data, sample.data + sample.bytes), bytes_of("b2"));
}

TEST(TarDataset, AFolderStandsForItsTars) {
  const TemporaryFolder dir;
  EXPECT_EQ(error_message<DataError>([&] { open({dir / ""}); }), "there is no .tar file in the folder " + dir / "");
  dir.write("2.tar", tar_of({{"a/2.jpg", {}}}));
  dir.write("1.tar", tar_of({{"b/1.jpg", {}}, {"a/1.jpg", {}}}));
  dir.write("index.txt", "1.tar 2.tar");
  const auto set = open({dir / ""});
  EXPECT_EQ(set->name(0), "1.tar:b/1.jpg");
  EXPECT_EQ(set->name(2), "2.tar:a/2.jpg");
  EXPECT_EQ(set->shard_sizes(), (std::vector<int64_t>{2, 1}));
}

TEST(TarDataset, OfAFolderNoTarIsDroppedWithoutAWord) {
  const TemporaryFolder dir;
  const Bytes tar = tar_of({{"a/1.jpg", {}}, {"b/1.jpg", {}}});
  dir.write("set/a.tar", tar);
  dir.write("set/B.TAR", tar);
  dir.write("set/._a.tar", "of a Mac");
  dir.write("set/readme.txt", "");
  dir.write("set/sub/d.tar", tar);
  dir.write("set/unpacked.tar/a/1.jpg", "");
  const auto set = open({dir / "set"});
  EXPECT_EQ(set->size(), 4);
  EXPECT_EQ(set->name(0), "B.TAR:a/1.jpg");
  EXPECT_EQ(set->left_out().list(), dir / "set/readme.txt" + ", " + dir / "set/sub" + ", " + dir / "set/unpacked.tar");
  dir.write("set/c.tar.gz", "");
  EXPECT_EQ(open({dir / "set"})->left_out().count, 4);
  for (const std::string name : {"c.tar.gz", "c.TGZ", "c.tar.xz", "c.tar.zst", "c.tar.bz2"}) {
    const std::string packed = dir.write("packed/" + name, "");
    EXPECT_EQ(error_message<DataError>([&] { open({dir / "packed"}); }),
              packed + " is compressed, and tar files are read in place: decompress it");
    std::filesystem::remove(packed);
  }
}

TEST(TarDataset, TheClassesFileChoosesAndOrders) {
  const TemporaryFolder dir;
  const auto tar = dir.write("x.tar", tar_of({{"a/1.jpg", {}}, {"b/1.jpg", {}}, {"c/1.jpg", {}}}));
  const auto classes = dir.write("classes.txt", "c\na\n");
  const auto set = open({tar}, {.classes = classes});
  ASSERT_EQ(set->size(), 2);
  EXPECT_EQ(set->name(0), "x.tar:a/1.jpg");
  EXPECT_EQ(set->label(0), 1);
  EXPECT_EQ(open({tar}, {.classes_limit = 2})->size(), 2);
  const auto more = dir.write("more.txt", "c\nd\n");
  EXPECT_EQ(error_message<DataError>([&] { open({tar}, {.classes = more}); }),
            "class 'd' (number 2 of the classes file " + more + ") has no image in " + tar);
}

TEST(TarDataset, SaysThatItFoundNothing) {
  const TemporaryFolder dir;
  const auto tar = dir.write("x.tar", tar_of({{"1.jpg", {}}, {"./2.jpg", {}}, {"a/notes.txt", {}}}));
  EXPECT_EQ(error_message<DataError>([&] { open({tar}); }),
            "no images found in " + tar + ": no member is named <class>/<image>.jpg");
  EXPECT_EQ(error_message<DataError>([&] { open({dir / "no.tar"}); }),
            "cannot open " + dir / "no.tar" + " (No such file or directory)");
}

TEST(TarDataset, ValidationTakesItsClassesFromTheTrainingSet) {
  const TemporaryFolder dir;
  const auto train = dir.write("train.tar", tar_of({{"a/1.jpg", {}}, {"b/1.jpg", {}}}));
  const auto same = dir.write("same.tar", tar_of({{"b/2.jpg", {}}, {"a/2.jpg", {}}}));
  const auto other = dir.write("other.tar", tar_of({{"b/2.jpg", {}}, {"a/2.jpg", {}}, {"z/2.jpg", {}}}));
  DataOptions options{.kind = DatasetKind::kTar, .train = {train}, .validation = {same}};
  EXPECT_EQ(open_dataset(options, Split::kValidation)->label(0), 1);
  options.validation = {other};
  EXPECT_CONTAINS(error_message<DataError>([&] { open_dataset(options, Split::kValidation); }),
                  "'z' is only in the validation set");
}

TEST(TarDataset, AFileCutOffAfterOpeningIsNamed) {
  const TemporaryFolder dir;
  const auto tar = dir.write("x.tar", tar_of({{"a/1.jpg", Bytes(600, 'x')}}));
  const auto set = open({tar});
  std::filesystem::resize_file(tar, 700);
  Bytes storage;
  EXPECT_EQ(error_message<DataError>([&] { set->read(0, storage); }), tar + " ends before byte 1112");
}

void expect_images_per_class(const Dataset& set, size_t classes, int64_t images) {
  std::map<int32_t, int64_t> count;
  for (int64_t i = 0; i < set.size(); ++i) ++count[set.label(i)];
  EXPECT_EQ(count.size(), classes);
  for (const auto& [label, times] : count) EXPECT_EQ(times, images) << set.class_names()[static_cast<size_t>(label)];
}

TEST(TarDataset, ReadsTinyImageNet) {
  REQUIRE_REAL_DATA("tiny-imagenet/val.tar");
  const DataOptions options{.kind = DatasetKind::kTar,
                            .train = {"tiny-imagenet/train-00.tar", "tiny-imagenet/train-01.tar",
                                      "tiny-imagenet/train-02.tar", "tiny-imagenet/train-03.tar"},
                            .validation = {"tiny-imagenet/val.tar"},
                            .classes = "tiny-imagenet/synsets.txt"};
  const auto train = open_dataset(options, Split::kTrain), validation = open_dataset(options, Split::kValidation);
  EXPECT_EQ(train->class_names(), validation->class_names());
  EXPECT_EQ(train->class_names().front(), "n01443537");
  expect_images_per_class(*train, 40, 500);
  expect_images_per_class(*validation, 40, 50);
  Bytes storage;
  for (int64_t i = 0; i < train->size(); i += 499) {
    const auto sample = train->read(i, storage);
    ASSERT_GT(sample.bytes, 4);
    EXPECT_EQ(sample.data[0], 0xFF) << train->name(i);
    EXPECT_EQ(sample.data[1], 0xD8) << train->name(i);
  }
}

TEST(TarDataset, ReadsImagenetteWithoutAClassesFile) {
  REQUIRE_REAL_DATA("imagenette-224/val.tar");
  const DataOptions options{
      .kind = DatasetKind::kTar, .train = {"imagenette-224/train.tar"}, .validation = {"imagenette-224/val.tar"}};
  expect_images_per_class(*open_dataset(options, Split::kTrain), 10, 120);
  expect_images_per_class(*open_dataset(options, Split::kValidation), 10, 30);
}

TEST(TarDataset, LeavesOutWhatLiesBesideTheClassFolders) {
  const TemporaryFolder dir;
  const auto tar = dir.write("x.tar", tar_of({{"set/ant/1.jpg", {}},
                                              {"set/bee/1.jpg", {}},
                                              {"set/bee/x/../2.jpg", {}},
                                              {"set/bee/Thumbnails/2.jpg", {}},
                                              {"set/#recycle/bee/3.jpg", {}},
                                              {"set/cover.jpg", {}}}));
  const auto set = open({tar});
  EXPECT_EQ(set->class_names(), (std::vector<std::string>{"ant", "bee"}));
  EXPECT_EQ(set->size(), 3);
  EXPECT_EQ(set->left_out().count, 3);
  EXPECT_CONTAINS(set->left_out().list(), tar + ":set/cover.jpg");
}

TEST(TarDataset, RefusesWhatIsNoClassOfItsOwn) {
  const TemporaryFolder dir;
  const auto message = [&](const std::vector<std::vector<std::string>>& archives) {
    std::vector<std::string> tars;
    for (const std::vector<std::string>& paths : archives) {
      std::vector<NamedBytes> members;
      for (const std::string& path : paths) members.push_back({path, {}});
      tars.push_back(dir.write(std::to_string(tars.size()) + ".tar", tar_of(members)));
    }
    return error_message<DataError>([&] { open(tars); });
  };
  EXPECT_CONTAINS(message({{"../ant/1.jpg", "bee/1.jpg", "cat/1.jpg"}}), "leads out of the folder");
  EXPECT_CONTAINS(message({{"train/ant/1.jpg", "train/bee/1.jpg", "val/ant/2.jpg"}}),
                  "0.tar holds 3 images below 'train' and 'val'; unpack it and name the folder");
  EXPECT_CONTAINS(message({{"ant/red/1.jpg", "ant/blue/2.jpg"}, {"bee/1.jpg"}}),
                  "the class 'bee', so 'ant', in which all images of another lie, may be a class with folders");
  EXPECT_CONTAINS(message({{"n01/images/1.jpg"}, {"n02/images/1.jpg"}}),
                  "the images of 2 archives all lie in folders called 'images'");
}

TEST(TarDataset, AListSaysWhichFoldersAreClasses) {
  const TemporaryFolder dir;
  const auto ant = dir.write("ant.tar", tar_of({{"ant/red/1.jpg", {}}, {"ant/blue/2.jpg", {}}}));
  const auto bee = dir.write("bee.tar", tar_of({{"bee/1.jpg", {}}}));
  const auto set = open({ant, bee}, {.classes = dir.write("classes.txt", "ant\nbee\n")});
  ASSERT_EQ(set->size(), 3);
  EXPECT_EQ(set->label(1), 0);
  EXPECT_EQ(set->label(2), 1);
}

TEST(TarDataset, CountsTheImagesOfClassesThatAreNotListed) {
  const TemporaryFolder dir;
  const auto tar = dir.write("x.tar", tar_of({{"a/1.jpg", {}}, {"b/1.jpg", {}}, {"b/2.jpg", {}}}));
  const auto set = open({tar}, {.classes = dir.write("classes.txt", "a\n")});
  EXPECT_EQ(set->left_out().list(), "b (2 images of a class that is not listed)");
}

}  // namespace
}  // namespace bn
