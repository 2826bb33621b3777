#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>

#include "bn/data_options.hpp"
#include "bn/dataset.hpp"
#include "data/fixtures.hpp"

namespace bn {
namespace {

using namespace test;  // NOLINT(google-build-using-namespace)

constexpr int64_t kHeight = 3, kWidth = 2, kPixels = kHeight * kWidth;

Bytes counting_pixels(int64_t count) {
  Bytes pixels;
  for (int64_t i = 0; i < count * kPixels; ++i) pixels.push_back(static_cast<uint8_t>(i));
  return pixels;
}

Bytes images(int64_t count) { return idx_images(count, kHeight, kWidth, counting_pixels(count)); }

class MnistIdx : public testing::Test {
 protected:
  std::unique_ptr<Dataset> open(const Bytes& image_file, const Bytes& label_file, DataOptions options = {}) const {
    options.kind = DatasetKind::kMnist;
    options.train = {dir_.write("images", image_file), dir_.write("labels", label_file)};
    return open_dataset(options, Split::kTrain);
  }
  std::string refusal(const Bytes& image_file, const Bytes& label_file, const DataOptions& options = {}) const {
    return error_message<DataError>([&] { open(image_file, label_file, options); });
  }

  const TemporaryFolder dir_;
};

TEST_F(MnistIdx, ReadsPlainAndGzippedFilesAlike) {
  for (const bool packed : {false, true}) {
    const Bytes image_file = images(4), label_file = idx_labels({7, 0, 9, 7});
    const auto set = packed ? open(gzip(image_file), gzip(label_file)) : open(image_file, label_file);
    ASSERT_EQ(set->size(), 4);
    EXPECT_EQ(set->label(0), 7);
    EXPECT_EQ(set->label(2), 9);
    EXPECT_EQ(set->class_names().size(), 10U);
    EXPECT_EQ(set->class_names()[3], "3");
    EXPECT_EQ(set->name(2), "images:2");
    Bytes storage;
    const auto sample = set->read(2, storage);
    EXPECT_EQ(sample.raw_height, kHeight);
    EXPECT_EQ(sample.raw_width, kWidth);
    EXPECT_EQ(sample.raw_channels, 1);
    ASSERT_EQ(sample.bytes, kPixels);
    EXPECT_EQ(sample.data[0], 2 * kPixels);
    EXPECT_EQ(sample.data[kPixels - 1], 3 * kPixels - 1);
  }
}

TEST_F(MnistIdx, DoesNotWaitForAPipesWriter) {
  const std::string pipe = dir_ / "pipe";
  ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
  DataOptions options;
  options.kind = DatasetKind::kMnist;
  options.train = {pipe, dir_.write("labels", idx_labels({7}))};
  EXPECT_EQ(error_message<DataError>([&] { open_dataset(options, Split::kTrain); }),
            "cannot read " + pipe + ": it is not a regular file");
}

// A disk that fails is no damaged file: of this process's memory, byte 0 is never readable (EIO).
TEST_F(MnistIdx, AFailingDiskIsAnErrorOfTheStorage) {
  DataOptions options;
  options.kind = DatasetKind::kMnist;
  options.train = {dir_ / "images", dir_.write("labels", idx_labels({7}))};
  std::filesystem::create_symlink("/proc/self/mem", options.train[0]);
  EXPECT_EQ(error_message<StorageError>([&] { open_dataset(options, Split::kTrain); }),
            "cannot read " + dir_ / "images" + " (Input/output error)");
}

// Resized to a square they would be nothing.
TEST_F(MnistIdx, ImagesInOneRowAreRefused) {
  EXPECT_EQ(
      refusal(idx_images(4, 1, kPixels, counting_pixels(4)), idx_labels({7, 0, 1, 0})),
      dir_ / "images" + " holds images of 1 x 6 pixels: write each as rows and columns, not as one row of all pixels");
}

TEST_F(MnistIdx, ClassesLimitKeepsTheFirstClasses) {
  const auto set = open(images(4), idx_labels({7, 0, 1, 0}), {.classes_limit = 2});
  ASSERT_EQ(set->size(), 3);
  EXPECT_EQ(set->class_names(), (std::vector<std::string>{"0", "1"}));
  EXPECT_EQ(set->label(1), 1);
  EXPECT_EQ(set->name(2), "images:3");
  Bytes storage;
  EXPECT_EQ(set->read(2, storage).data[0], 3 * kPixels);
}

TEST_F(MnistIdx, TakesClassNamesFromAFile) {
  const std::string classes = dir_.write("classes.txt", "shirt\ntrousers\n");
  const auto set = open(images(2), idx_labels({1, 0}), {.classes = classes});
  EXPECT_EQ(set->class_names(), (std::vector<std::string>{"shirt", "trousers"}));
  const auto missing = refusal(images(2), idx_labels({1, 1}), {.classes = classes});
  EXPECT_CONTAINS(missing, "class 'shirt' (number 1 of the classes file ");
  EXPECT_CONTAINS(missing, ") has no image in " + dir_ / "labels");
}

TEST_F(MnistIdx, NamesAMissingFile) {
  const DataOptions options{.kind = DatasetKind::kMnist, .train = {"/nowhere/images", "/nowhere/labels"}};
  EXPECT_EQ(error_message<DataError>([&] { open_dataset(options, Split::kTrain); }),
            "cannot open /nowhere/images (No such file or directory)");
}

TEST_F(MnistIdx, NoticesATruncatedGzip) {
  Bytes pixels(600 * kPixels);
  for (size_t i = 0; i < pixels.size(); ++i) pixels[i] = static_cast<uint8_t>(i * i >> 3);
  const Bytes whole = gzip(idx_images(600, kHeight, kWidth, pixels));
  for (const double share : {0.3, 0.7}) {
    const auto message = refusal(first_part(whole, share), idx_labels(Bytes(600)));
    EXPECT_CONTAINS(message, dir_ / "images" + " is a damaged or cut off gzip file (");
  }
  // Only the check sum at the end is missing.
  const Bytes tail(whole.begin(), whole.end() - 4);
  EXPECT_CONTAINS(refusal(tail, idx_labels(Bytes(600))), "damaged or cut off gzip file");
}

TEST_F(MnistIdx, NoticesATruncatedIdx) {
  Bytes cut = images(4);
  cut.pop_back();
  EXPECT_EQ(refusal(cut, idx_labels(Bytes(4))),
            dir_ / "images" + " is cut off: its header announces 24 bytes of images, 23 follow");
  EXPECT_EQ(refusal(gzip(cut), idx_labels(Bytes(4))),
            dir_ / "images" + " is cut off: its header announces 24 bytes of images, 23 follow");
  EXPECT_EQ(refusal({0, 0, 8, 3, 0}, idx_labels(Bytes(4))),
            dir_ / "images" + " is cut off: 5 bytes do not hold an idx header");
  EXPECT_EQ(refusal({}, idx_labels(Bytes(4))), dir_ / "images" + " is cut off: 0 bytes do not hold an idx header");
}

TEST_F(MnistIdx, NoticesTrailingBytesAndAbsurdSizes) {
  Bytes longer = images(4);
  longer.push_back(0);
  EXPECT_EQ(refusal(longer, idx_labels(Bytes(4))),
            dir_ / "images" + " is too long: its header announces 24 bytes of images, more follow");
  const Bytes absurd = idx_images(0xFFFFFFFF, 0xFFFFFFFF, 0xFFFFFFFF, Bytes(10));
  EXPECT_EQ(refusal(absurd, idx_labels(Bytes(4))),
            dir_ / "images" + " is damaged or too large: its header announces at least 2147483648 bytes of images");
}

TEST_F(MnistIdx, NoticesAWrongMagic) {
  EXPECT_EQ(refusal(idx_labels(Bytes(40)), idx_labels(Bytes(4))),
            dir_ / "images" + " is not an idx file of images: it begins with 0x00000801, not 0x00000803");
  EXPECT_EQ(refusal(images(4), images(4)),
            dir_ / "labels" + " is not an idx file of labels: it begins with 0x00000803, not 0x00000801");
}

TEST_F(MnistIdx, NoticesDifferentCounts) {
  EXPECT_EQ(refusal(images(4), idx_labels(Bytes(5))),
            dir_ / "images" + " has 4 images, but " + dir_ / "labels" + " has 5 labels");
}

TEST_F(MnistIdx, NoticesALabelThatIsNoClass) {
  EXPECT_EQ(refusal(images(2), idx_labels({3, 10})),
            dir_ / "labels" + " gives image 1 the label 10, but there are 10 classes");
  EXPECT_EQ(refusal(images(2), idx_labels({3, 1}), {.classes_limit = 11}),
            "classes_limit is 11, but there are 10 classes");
}

TEST_F(MnistIdx, NoticesAnEmptySet) {
  EXPECT_EQ(refusal(images(0), idx_labels({})), "no images found in " + dir_ / "images");
}

TEST_F(MnistIdx, ReadsTheRealFiles) {
  REQUIRE_REAL_DATA("mnist/train-images-idx3-ubyte.gz");
  const DataOptions options{.kind = DatasetKind::kMnist,
                            .train = {"mnist/train-images-idx3-ubyte.gz", "mnist/train-labels-idx1-ubyte.gz"},
                            .validation = {"mnist/t10k-images-idx3-ubyte.gz", "mnist/t10k-labels-idx1-ubyte.gz"}};
  const auto train = open_dataset(options, Split::kTrain);
  const auto validation = open_dataset(options, Split::kValidation);
  ASSERT_EQ(train->size(), 60000);
  ASSERT_EQ(validation->size(), 10000);
  const std::vector<int32_t> train_labels{5, 0, 4, 1, 9, 2, 1, 3, 1, 4}, test_labels{7, 2, 1, 0, 4, 1, 4, 9, 5, 9};
  for (int64_t i = 0; i < 10; ++i) {
    EXPECT_EQ(train->label(i), train_labels[static_cast<size_t>(i)]) << i;
    EXPECT_EQ(validation->label(i), test_labels[static_cast<size_t>(i)]) << i;
  }
  Bytes storage;
  int64_t sum = 0;
  for (int64_t i = 0; i < train->size(); ++i) {
    const auto sample = train->read(i, storage);
    ASSERT_EQ(sample.bytes, 784);
    for (int64_t j = 0; j < sample.bytes; ++j) sum += sample.data[j];
  }
  EXPECT_NEAR(static_cast<double>(sum) / (60000.0 * 784 * 255), 0.1307, 0.0001);
}

TEST_F(MnistIdx, InflatesNoMoreThanTheHeaderAnnounces) {
  const Bytes endless = gzip(idx_images(4, kHeight, kWidth, Bytes(64 << 20)));
  // Were it inflated further, the cut would be noticed.
  EXPECT_EQ(refusal(first_part(endless, 0.5), idx_labels(Bytes(4))),
            dir_ / "images" + " is too long: its header announces 24 bytes of images, more follow");
}

}  // namespace
}  // namespace bn
