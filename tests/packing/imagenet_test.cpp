#include "packing/imagenet.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <set>

#include "data/fixtures.hpp"

namespace bn {
namespace {

using namespace test;  // NOLINT(google-build-using-namespace)

ClassList all_classes() {
  std::vector<std::string> names;
  for (const ImagenetClass& one : imagenet_classes()) names.push_back(one.name);
  return ClassList(names, "the classes of ImageNet");
}

TEST(ImagenetFacts, AreWhatIsKnownOfTheSet) {
  const auto& classes = imagenet_classes();
  ASSERT_EQ(classes.size(), 1000U);
  EXPECT_EQ(classes[0].name, "n01440764");
  EXPECT_EQ(classes[0].description, "tench, Tinca tinca");
  EXPECT_EQ(classes[999].name, "n15075141");
  int64_t images = 0;
  for (size_t i = 0; i < 1000; ++i) {
    images += classes[i].training_images;
    EXPECT_TRUE(i == 0 || classes[i - 1].name < classes[i].name);
  }
  EXPECT_EQ(images, 1281167);
  const auto& labels = imagenet_validation_labels();
  ASSERT_EQ(labels.size(), 50000U);
  EXPECT_EQ(labels[0], 65);
  EXPECT_EQ(labels[1], 970);
  std::vector<int64_t> count(1000);
  for (const int32_t label : labels) ++count.at(static_cast<size_t>(label));
  for (const int64_t each : count) EXPECT_EQ(each, kImagenetValidationImagesPerClass);
}

TEST(ImagenetFacts, AgreeWithThePublishedLists) {
  REQUIRE_REAL_DATA("facts/val_labels.txt");
  std::ifstream labels(real_data("facts/val_labels.txt"));
  std::string name;
  int32_t label = 0;
  size_t number = 0;
  while (labels >> name >> label) EXPECT_EQ(imagenet_validation_labels().at(number++), label) << name;
  EXPECT_EQ(number, 50000U);
  std::ifstream synsets(real_data("facts/synsets.txt"));
  for (const ImagenetClass& one : imagenet_classes()) {
    ASSERT_TRUE(synsets >> name);
    EXPECT_EQ(one.name, name);
  }
}

TEST(ImagenetArchive, ReadsTheNestedLayoutInPlace) {
  const TemporaryFolder dir;
  const Bytes first = jpeg_image(20, 30, 1), second = jpeg_image(22, 30, 2), other = jpeg_image(24, 30, 3);
  const std::string path = dir.write(
      "train.tar", tar_of({{"n01440764.tar", tar_of({{"n01440764_1.JPEG", first}, {"n01440764_2.JPEG", second}})},
                           {"n15075141.tar", tar_of({{"n15075141_9.JPEG", other}})}}));
  const auto set = open_imagenet_archive(path, Split::kTrain, all_classes());
  ASSERT_EQ(set->size(), 3);
  EXPECT_EQ(set->label(1), 0);
  EXPECT_EQ(set->label(2), 999);
  EXPECT_EQ(set->name(1), "train.tar:n01440764.tar:n01440764_2.JPEG");
  std::vector<uint8_t> storage;
  const auto sample = set->read(2, storage);
  EXPECT_EQ(Bytes(sample.data, sample.data + sample.bytes), other);
  const ClassList last({"n15075141"}, "a list");
  EXPECT_EQ(open_imagenet_archive(path, Split::kTrain, last)->size(), 1);
}

TEST(ImagenetArchive, SaysWhatDoesNotBelong) {
  const TemporaryFolder dir;
  const auto message = [&](Split split, const std::vector<NamedBytes>& members) {
    const std::string path = dir.write("x.tar", tar_of(members));
    return error_message<DataError>([&] { open_imagenet_archive(path, split, all_classes()); });
  };
  EXPECT_CONTAINS(message(Split::kTrain, {{"n01440764/1.JPEG", {1}}}),
                  "holds 'n01440764/1.JPEG', which does not belong into the official archive: expected a tar for each "
                  "class, nXXXXXXXX.tar");
  EXPECT_CONTAINS(message(Split::kTrain, {{"n00000001.tar", tar_of({})}}),
                  "none of its members belongs to one of the 1000 classes");
  EXPECT_CONTAINS(message(Split::kTrain, {{"n01440764.tar", {1, 2, 3}}}), "the tar file");
  for (const char* name : {"ILSVRC2012_val_00050001.JPEG", "ILSVRC2012_val_00000000.JPEG", "other.JPEG"}) {
    EXPECT_CONTAINS(message(Split::kValidation, {{name, {1}}}), "expected ILSVRC2012_val_00000001.JPEG to");
  }
}

TEST(ImagenetArchive, ANumberIsEightDigitsAndStandsOnce) {
  const TemporaryFolder dir;
  const auto message = [&](const std::vector<NamedBytes>& members) {
    const std::string path = dir.write("x.tar", tar_of(members));
    return error_message<DataError>([&] { open_imagenet_archive(path, Split::kValidation, all_classes()); });
  };
  for (const char* name :
       {"ILSVRC2012_val_00000001_copy.JPEG", "ILSVRC2012_val_1.JPEG", "ILSVRC2012_val_0000000x.JPEG"}) {
    EXPECT_CONTAINS(message({{name, {1}}}), "expected ILSVRC2012_val_00000001.JPEG to");
  }
  EXPECT_CONTAINS(message({{"a/ILSVRC2012_val_00000001.JPEG", {1}}, {"b/ILSVRC2012_val_00000001.JPEG", {1}}}),
                  "expected one image of each number");
}

TEST(ImagenetArchive, NamesWhatItLeavesOut) {
  const TemporaryFolder dir;
  const Bytes inner = tar_of({{"n01440764_1.JPEG", {1}}, {"n01440764_1.JPEG", {2}}});
  Bytes link = tar_header("n15075141.tar", 0, '2');
  link[157] = 'x';
  seal_tar_header(link);
  Bytes archive;
  append_member(archive, "n01440764.tar", inner);
  append_member(archive, "n01443537.tar", tar_of({{"n01443537_1.JPEG", {3}}}));
  append(archive, link);
  close_tar(archive);
  const std::string path = dir.write("x.tar", archive);
  const auto set = open_imagenet_archive(path, Split::kTrain, ClassList({"n01440764", "n15075141"}, "a list"));
  EXPECT_EQ(set->size(), 1);
  EXPECT_EQ(set->left_out().names, (std::vector<std::string>{path + ":n15075141.tar (a link to x)",
                                                             path + ":n01440764_1.JPEG (an earlier version of it)",
                                                             "n01443537.tar (a class that is not listed)"}));
}

TEST(ImagenetArchive, ReadsTheOfficialLayout) {
  REQUIRE_REAL_DATA("official-layout-sample/val.sample.labels.txt");
  const std::string folder = real_data("official-layout-sample");
  const auto train = open_imagenet_archive(folder + "/ILSVRC2012_img_train.sample.tar", Split::kTrain, all_classes());
  EXPECT_EQ(train->size(), 10);
  std::set<int32_t> labels;
  for (int64_t i = 0; i < 10; ++i) labels.insert(train->label(i));
  EXPECT_EQ(labels.size(), 5U);
  const auto validation =
      open_imagenet_archive(folder + "/ILSVRC2012_img_val.sample.tar", Split::kValidation, all_classes());
  std::ifstream lines(folder + "/val.sample.labels.txt");
  std::string name, synset;
  int32_t label = 0;
  for (int64_t i = 0; lines >> name >> label >> synset; ++i) {
    EXPECT_TRUE(validation->name(i).ends_with(name));
    EXPECT_EQ(validation->label(i), label);
    EXPECT_EQ(validation->class_names()[static_cast<size_t>(label)], synset);
  }
}

TEST(CheckArchive, ComparesSizeAndMd5) {
  const TemporaryFolder dir;
  const std::string path = dir.write("archive.tar", "abc"), note = dir / "out/train.md5";
  int64_t hashed = 0;
  const auto check = [&](const ImagenetArchive& official) {
    hashed = 0;
    return check_archive(path, official, note, [&](int64_t done) { hashed = done; });
  };
  const ImagenetArchive right{.bytes = 3, .md5 = "900150983cd24fb0d6963f7d28e17f72"};
  EXPECT_EQ(check({.bytes = 4, .md5 = right.md5}), Origin::kAny);
  EXPECT_EQ(error_message<DataError>([&] { check({.bytes = 3, .md5 = "00000000000000000000000000000000"}); }),
            path + " is damaged: its MD5 is " + right.md5 +
                ", the official archive's 00000000000000000000000000000000; download it again");
  EXPECT_FALSE(std::filesystem::exists(note));
  EXPECT_EQ(check(right), Origin::kOfficialImageNet);
  EXPECT_EQ(hashed, 3);
  EXPECT_EQ(check(right), Origin::kOfficialImageNet);
  EXPECT_EQ(hashed, 0);  // the note is believed
  dir.write("archive.tar", "abd");
  std::filesystem::last_write_time(path, std::filesystem::file_time_type::clock::now() + std::chrono::hours(1));
  EXPECT_CONTAINS(error_message<DataError>([&] { check(right); }), " is damaged: its MD5 is ");
}

TEST(Md5OfFile, GivesTheSumsOfItsStandard) {  // RFC 1321, A.5
  const TemporaryFolder dir;
  int64_t done = 0;
  const auto md5_of = [&](const std::string& text) {
    return md5_of_file(dir.write("text", text), [&](int64_t bytes) { done = bytes; });
  };
  EXPECT_EQ(md5_of(""), "d41d8cd98f00b204e9800998ecf8427e");
  EXPECT_EQ(md5_of("abc"), "900150983cd24fb0d6963f7d28e17f72");
  EXPECT_EQ(done, 3);
  EXPECT_EQ(md5_of("12345678901234567890123456789012345678901234567890123456789012345678901234567890"),
            "57edf4a22be3c955ac49da2e2107b67a");
  EXPECT_EQ(md5_of(std::string(5 << 20, 'a')),
            "79b281060d337b9b2b84ccf390adcf74");  // as md5sum prints; more than is read at once
}

}  // namespace
}  // namespace bn
