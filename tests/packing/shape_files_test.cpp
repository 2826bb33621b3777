#include "packing/shape_files.hpp"

#include <gtest/gtest.h>

#include "bn/error.hpp"
#include "data/fixtures.hpp"

namespace bn {
namespace {

using namespace test;  // NOLINT(google-build-using-namespace)

DataOptions small_set() {
  return {.shapes = {.image_size = 32, .train_images = 100, .validation_images = 50, .seed = 5}};
}

TEST(ShapeFiles, TheWrittenFolderHoldsTheSamePixels) {
  const TemporaryFolder dir;
  const auto options = small_set();
  write_shapes_folder(options.shapes, Split::kTrain, dir / "train");
  const auto folder = open_dataset({.kind = DatasetKind::kFolder, .train = {dir / "train"}}, Split::kTrain);
  const auto shapes = open_dataset(options, Split::kTrain);
  ASSERT_EQ(folder->size(), shapes->size());
  EXPECT_EQ(folder->class_names(), shapes->class_names());
  for (int64_t i = 0; i < folder->size(); ++i) {
    const Image image = decode(sample_bytes(*folder, i));
    // Sorted by class: ten of each, drawn as class, class + 10, ...
    EXPECT_EQ(image.pixels, sample_bytes(*shapes, i / 10 + i % 10 * 10)) << folder->name(i);
  }
}

TEST(ShapeFiles, TheContactSheetHasARowPerClass) {
  const TemporaryFolder dir;
  write_contact_sheet(small_set().shapes, Split::kTrain, 4, dir / "sheet.png");
  const auto set = open_dataset(small_set(), Split::kTrain);
  const Image sheet = decode(bytes_of(read_bytes(dir / "sheet.png")));
  EXPECT_EQ(sheet.height, 10 * 34 + 2);
  EXPECT_EQ(sheet.width, 4 * 34 + 2);
  const Bytes star = sample_bytes(*set, 18);  // second star: row 8, column 1
  const int64_t top = 2 + 8 * 34, left = 2 + 34;
  for (int64_t x = 0; x < 32 * 3; ++x) {
    EXPECT_EQ(sheet.pixels[static_cast<size_t>((top * sheet.width + left) * 3 + x)], star[static_cast<size_t>(x)]);
  }
}

TEST(ShapeFiles, AFolderThatCannotBeWrittenIsAStorageError) {
  const TemporaryFolder dir;
  dir.write("file", "in the way");
  EXPECT_CONTAINS(
      error_message<StorageError>([&] { write_shapes_folder(small_set().shapes, Split::kTrain, dir / "file/train"); }),
      "cannot create folder '" + dir / "file/train");
  EXPECT_CONTAINS(error_message<StorageError>(
                      [&] { write_contact_sheet(small_set().shapes, Split::kTrain, 2, dir / "no/sheet.png"); }),
                  "cannot write '" + dir / "no/sheet.png");
}

}  // namespace
}  // namespace bn
