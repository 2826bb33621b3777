#include <fmt/format.h>
#include <gtest/gtest.h>

#include <map>

#include "bn/data_options.hpp"
#include "bn/dataset.hpp"
#include "data/fixtures.hpp"

namespace bn {
namespace {

using namespace test;  // NOLINT(google-build-using-namespace)

std::unique_ptr<Dataset> five_images() { return std::make_unique<EncodedSet>(jpeg_set(5)); }  // set/0.jpg ...

std::vector<std::string> names_of(const Dataset& set) {
  std::vector<std::string> names;
  for (int64_t i = 0; i < set.size(); ++i) names.push_back(set.name(i));
  return names;
}

TEST(ExcludeImages, ByNameWithOrWithoutExtension) {
  const TemporaryFolder dir;
  const auto set = exclude_images(five_images(), dir.write("list.txt", "1.jpg\n\n3\n1.jpg\n"));
  EXPECT_EQ(names_of(*set), (std::vector<std::string>{"set/0.jpg", "set/2.jpg", "set/4.jpg"}));
  EXPECT_EQ(set->label(1), 2);
  Bytes storage;
  EXPECT_GT(set->read(2, storage).bytes, 0);
}

TEST(ExcludeImages, ByTheNumberOfAValidationImage) {
  const TemporaryFolder dir;
  const auto tar = dir.write("val.tar", tar_of({{"a/ILSVRC2012_val_00000007.JPEG", bytes_of("7")},
                                                {"a/ILSVRC2012_val_00000012.JPEG", bytes_of("12")}}));
  DataOptions options;
  options.kind = DatasetKind::kTar;
  options.train = options.validation = {tar};
  const auto set = exclude_images(open_dataset(options, Split::kValidation), dir.write("blacklist.txt", "12\n"));
  EXPECT_EQ(names_of(*set), std::vector<std::string>{"val.tar:a/ILSVRC2012_val_00000007.JPEG"});
}

TEST(ExcludeImages, ExplainsALineThatFitsNoImage) {
  const TemporaryFolder dir;
  const auto list = dir.write("list.txt", "1\n\n77\n");
  EXPECT_EQ(error_message<DataError>([&] { exclude_images(five_images(), list); }),
            list + ":3: there is no image ILSVRC2012_val_00000077 to exclude");
  const auto all = dir.write("all.txt", "0\n1\n2\n3\n4\n");
  EXPECT_EQ(error_message<DataError>([&] { exclude_images(five_images(), all); }), all + " excludes every image");
  EXPECT_EQ(error_message<DataError>([&] { exclude_images(five_images(), dir / "no.txt"); }),
            "cannot open " + dir / "no.txt" + ": no such file");
}

TEST(ExcludeImages, NeedsANameThatIsOneImages) {
  const TemporaryFolder dir;
  const auto tar = dir.write("val.tar", tar_of({{"a/1.jpg", bytes_of("1")}, {"b/1.jpg", bytes_of("2")}}));
  DataOptions options;
  options.kind = DatasetKind::kTar;
  options.train = options.validation = {tar};
  const auto exclude = [&](const std::string& line) {
    return exclude_images(open_dataset(options, Split::kValidation), dir.write("list.txt", line));
  };
  for (const char* name : {"1.jpg", "1"}) {
    EXPECT_EQ(error_message<DataError>([&] { exclude(name); }),
              dir / "list.txt" + ":1: several images are called " + name);
  }
  EXPECT_EQ(names_of(*exclude("val.tar:a/1.jpg")), std::vector<std::string>{"val.tar:b/1.jpg"});
}

class LabelledImages : public testing::Test {
 protected:
  std::string label_error(const std::string& text) const {
    const std::string labels = dir_.write("labels.txt", text);
    const std::string message = error_message<DataError>([&] { open_labelled_images({tar_}, labels); });
    return message.starts_with(labels) ? message.substr(labels.size()) : message;
  }

  TemporaryFolder dir_;
  const std::string tar_ =
      dir_.write("val.tar", tar_of({{"two.jpg", bytes_of("22")}, {"one.jpg", bytes_of("1")}, {"notes.txt", {}}}));
};

TEST_F(LabelledImages, OfATarWithoutClassFolders) {
  const auto set = open_labelled_images({tar_}, dir_.write("labels.txt", "one.jpg 3 n01\ntwo.jpg 0 n02\n"));
  EXPECT_EQ(names_of(*set), (std::vector<std::string>{"val.tar:two.jpg", "val.tar:one.jpg"}));
  EXPECT_EQ(set->label(0), 0);
  EXPECT_EQ(set->label(1), 3);
  EXPECT_EQ(set->class_names().size(), 4U);
  Bytes storage;
  const auto sample = set->read(0, storage);
  EXPECT_EQ(Bytes(sample.data, sample.data + sample.bytes), bytes_of("22"));
}

TEST_F(LabelledImages, OfAFolder) {
  dir_.write("images/b.jpg", "b");
  dir_.write("images/a.jpg", "aa");
  const auto labels = dir_.write("labels.txt", "a.jpg 1\nb.jpg 0\n");
  const auto set = open_labelled_images({dir_ / "images"}, labels);
  EXPECT_EQ(names_of(*set), (std::vector<std::string>{dir_ / "images/a.jpg", dir_ / "images/b.jpg"}));
  EXPECT_EQ(set->label(0), 1);
  Bytes storage;
  EXPECT_EQ(set->read(0, storage).bytes, 2);
}

TEST_F(LabelledImages, EachImageNeedsOneLabelAndEachLabelOneImage) {
  EXPECT_EQ(label_error("one.jpg 3\n"), "val.tar:two.jpg has no label in " + dir_ / "labels.txt");
  EXPECT_EQ(label_error("one.jpg 3\none.jpg 2\n"), ":2: one.jpg has a label already");
  EXPECT_EQ(label_error("one.jpg 3\nsix.jpg 2\n"), ":2: there is no image six.jpg");
  EXPECT_EQ(label_error("one.jpg\n"), ":1: expected the name of an image and the index of its class");
  EXPECT_EQ(label_error("one.jpg 3 the third\ntwo.jpg 0 2\n"),
            ":2: two numbers follow the name two.jpg: leave the index of its class alone");
  const auto twice = dir_.write("twice.tar", tar_of({{"a/one.jpg", bytes_of("1")}, {"b/one.jpg", bytes_of("2")}}));
  const auto labels = dir_ / "labels.txt";
  EXPECT_EQ(error_message<DataError>([&] { open_labelled_images({twice}, labels); }),
            "two images are called one.jpg, so " + labels + " cannot tell them apart");
  EXPECT_EQ(label_error("one.jpg -1\n"), ":1: expected the name of an image and the index of its class");
}

TEST_F(LabelledImages, ReadTheOfficialArchive) {
  REQUIRE_REAL_DATA("official-layout-sample/ILSVRC2012_img_val.sample.tar");
  const auto set = open_labelled_images({real_data("official-layout-sample/ILSVRC2012_img_val.sample.tar")},
                                        real_data("official-layout-sample/val.sample.labels.txt"));
  EXPECT_EQ(set->size(), 15);
  EXPECT_EQ(set->label(1), 217);
}

TEST_F(LabelledImages, MayHaveBlanksInTheirNames) {
  for (const char* name : {"IMG.png", "IMG.png 2.png", "IMG 2.png"}) dir_.write(fmt::format("images/{}", name), "a");
  const auto labels = dir_.write("labels.txt", "IMG.png 2.png  0\nIMG.png 2 n02\n\tIMG 2.png 1 \n");
  const auto set = open_labelled_images({dir_ / "images"}, labels);
  const std::map<std::string, int32_t> expected{{"IMG.png", 2}, {"IMG.png 2.png", 0}, {"IMG 2.png", 1}};
  for (int64_t i = 0; i < 3; ++i) EXPECT_EQ(set->label(i), expected.at(set->file_name(i)));
  EXPECT_EQ(names_of(*exclude_images(open_labelled_images({dir_ / "images"}, labels),
                                     dir_.write("list.txt", " IMG 2.png\r\nIMG.png 2\n"))),
            std::vector<std::string>{dir_ / "images/IMG.png"});
  EXPECT_EQ(error_message<DataError>([&] {
              exclude_images(open_labelled_images({dir_ / "images"}, labels), dir_.write("list.txt", "IMG.png copy\n"));
            }),
            dir_ / "list.txt" + ":1: there is no image IMG.png copy to exclude");
  EXPECT_EQ(label_error("Other Photo.png 3\n"), ":1: there is no image Other Photo.png");
  EXPECT_EQ(label_error("Other Photo.png\n"), ":1: expected the name of an image and the index of its class");
}

TEST_F(LabelledImages, MayHaveColonsInTheirNames) {
  dir_.write("images/a:1.jpg", "a");
  dir_.write("images/b:1.jpg", "bb");
  const auto tar = dir_.write("colons.tar", tar_of({{"x/a:1.jpg", bytes_of("a")}, {"x/b:1.jpg", bytes_of("bb")}}));
  const auto labels = dir_.write("labels.txt", "a:1.jpg 1\nb:1.jpg 0\n");
  for (const std::string& place : {dir_ / "images", tar}) {
    const auto set = open_labelled_images({place}, labels);
    EXPECT_EQ(set->file_name(0), "a:1.jpg");
    EXPECT_EQ(set->label(0), 1);
  }
}

}  // namespace
}  // namespace bn
