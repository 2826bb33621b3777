#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <optional>

#include "bn/data_options.hpp"
#include "bn/dataset.hpp"
#include "data/fixtures.hpp"

namespace bn {
namespace {

using test::error_message;

// Sets or unsets BN_DATA_ROOT for one test.
class DataRoot {
 public:
  explicit DataRoot(const char* value) {
    if (const char* old = std::getenv("BN_DATA_ROOT")) old_ = old;
    if (value != nullptr) {
      setenv("BN_DATA_ROOT", value, 1);
    } else {
      unsetenv("BN_DATA_ROOT");
    }
  }
  ~DataRoot() {
    if (old_) {
      setenv("BN_DATA_ROOT", old_->c_str(), 1);
    } else {
      unsetenv("BN_DATA_ROOT");
    }
  }

 private:
  std::optional<std::string> old_;
};

TEST(ResolveDataPath, JoinsRelativePathsToTheRoot) {
  const DataRoot root("/some/where");
  EXPECT_EQ(resolve_data_path("mnist/a.gz"), "/some/where/mnist/a.gz");
  EXPECT_EQ(resolve_data_path("/abs/a.gz"), "/abs/a.gz");
}

TEST(ResolveDataPath, SaysHowToSetTheRoot) {
  for (const char* value : {static_cast<const char*>(nullptr), ""}) {
    const DataRoot root(value);
    EXPECT_EQ(error_message<DataError>([] { resolve_data_path("mnist/a.gz"); }),
              "the data path 'mnist/a.gz' is relative and BN_DATA_ROOT is not set; set it to the folder that holds the "
              "data sets (export BN_DATA_ROOT=/path/to/data) or give an absolute path");
    EXPECT_EQ(resolve_data_path("/abs/a.gz"), "/abs/a.gz");
  }
}

TEST(ResolveDataPath, RefusesAnEmptyPath) {
  EXPECT_EQ(error_message<DataError>([] { resolve_data_path(""); }), "a data path is empty");
}

TEST(OpenDataset, ChecksTheNumberOfPaths) {
  DataOptions options{.kind = DatasetKind::kMnist, .train = {"/a"}};
  EXPECT_EQ(error_message<DataError>([&] { open_dataset(options, Split::kTrain); }),
            "the training set needs a file of images and a file of labels, but 1 paths are given");
  options.kind = DatasetKind::kTar;
  EXPECT_EQ(error_message<DataError>([&] { open_dataset(options, Split::kValidation); }),
            "the validation set needs one tar file or more, but 0 paths are given");
  options.kind = DatasetKind::kFolder;
  EXPECT_EQ(error_message<DataError>([&] { open_dataset(options, Split::kValidation); }),
            "the validation set needs one folder, but 0 paths are given");
}

TEST(Fingerprint, TellsTheContentsOfFilesOfEqualSize) {
  const test::TemporaryFolder dir;
  dir.write("set/a/1.jpg", "pixels");
  dir.write("set/b/2.jpg", "others");
  const auto of_folder = [&](const char* name) {
    return fingerprint(*open_dataset({.kind = DatasetKind::kFolder, .train = {dir / name}}, Split::kTrain));
  };
  const std::string before = of_folder("set");
  ASSERT_EQ(before.size(), 33U);
  EXPECT_EQ(before[16], '-');
  std::filesystem::copy(dir / "set", dir / "moved", std::filesystem::copy_options::recursive);
  EXPECT_EQ(of_folder("moved"), before);
  dir.write("set/a/1.jpg", "PIXELS");
  const std::string after = of_folder("set");
  EXPECT_EQ(after.substr(0, 16), before.substr(0, 16));  // labels, names and sizes are as they were
  EXPECT_NE(after, before);
}

// Uncompressed images of one size differ in their middles alone where another was put under the same name.
TEST(Fingerprint, TellsTheMiddleOfALargeFile) {
  const test::TemporaryFolder dir;
  const auto of_middle = [&](size_t size, char middle, const auto& fingerprint_of) {
    std::string bytes(size, 'x');
    std::fill_n(bytes.begin() + static_cast<std::ptrdiff_t>(size / 4), size / 2, middle);
    dir.write("set/a/1.bmp", bytes);
    return fingerprint_of(*open_dataset({.kind = DatasetKind::kFolder, .train = {dir / "set"}}, Split::kTrain));
  };
  for (const size_t size : {60'000, 100'000, 1'000'000, 3'000'000}) {
    const std::string before = of_middle(size, 'y', fingerprint), after = of_middle(size, 'z', fingerprint);
    EXPECT_EQ(after.substr(0, 17), before.substr(0, 17)) << size;
    EXPECT_NE(after, before) << size;
    const bool is_small = size < 65'536;
    EXPECT_EQ(before.size(), is_small ? 33U : 35U) << size;
    EXPECT_EQ(of_middle(size, 'y', earlier_fingerprint) == before, is_small) << size;
  }
}

TEST(Fingerprint, TellsTheImagesOfAnIdxFile) {
  const test::TemporaryFolder dir;
  const auto of_images = [&](const test::Bytes& pixels) {
    return fingerprint(*open_dataset({.kind = DatasetKind::kMnist,
                                      .train = {dir.write("images", test::idx_images(2, 2, 2, pixels)),
                                                dir.write("labels", test::idx_labels({0, 1}))}},
                                     Split::kTrain));
  };
  EXPECT_EQ(of_images({1, 2, 3, 4, 5, 6, 7, 8}), of_images({1, 2, 3, 4, 5, 6, 7, 8}));
  EXPECT_NE(of_images({1, 2, 3, 4, 5, 6, 7, 8}), of_images({1, 2, 3, 4, 5, 6, 7, 9}));
}

TEST(Fingerprint, IsTheSameWithACache) {
  const test::TemporaryFolder dir;
  dir.write("set/a/1.jpg", test::jpeg_image(20, 20, 1));
  dir.write("set/a/damaged.jpg", "no image");
  DataOptions options{.kind = DatasetKind::kFolder, .train = {dir / "set"}};
  const std::string plain = fingerprint(*open_dataset(options, Split::kTrain));
  options.cache = Cache::kDecoded;
  EXPECT_EQ(fingerprint(*open_dataset(options, Split::kTrain)), plain);
}

}  // namespace
}  // namespace bn
