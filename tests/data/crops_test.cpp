#include "data/crops.hpp"

#include <dlfcn.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cstdio>

#include <jpeglib.h>  // needs <cstdio> before it

#include "bn/loader.hpp"
#include "data/fixtures.hpp"

namespace {
std::atomic<int64_t> jpeg_decodes = 0;  // how often libjpeg began to decode an image in this program so far
}

// Takes the place of the library's function, which it calls: a program's own functions come first.
extern "C" boolean jpeg_start_decompress(j_decompress_ptr info) {
  ++jpeg_decodes;
  static const auto kOriginal =
      reinterpret_cast<boolean (*)(j_decompress_ptr)>(dlsym(RTLD_NEXT, "jpeg_start_decompress"));
  return kOriginal(info);
}

namespace bn {
namespace {

using namespace test;  // NOLINT(google-build-using-namespace)

DataOptions options_of(int64_t image_size, int64_t resize_shorter) {
  DataOptions options;
  options.image_size = image_size;
  options.resize_shorter = resize_shorter;
  options.workers = 0;
  return options;
}

// top, left, side of the square; scale; top, left, side of the crop in it; mirrored
using Box = std::vector<int64_t>;
Box box_of(const EvaluationCrop& crop) {
  return {crop.top,      crop.left,      crop.side,      crop.scale,
          crop.crop_top, crop.crop_left, crop.crop_side, crop.mirrored ? 1 : 0};
}
std::vector<Box> boxes_of(CropSet set, int64_t height, int64_t width, const DataOptions& options) {
  std::vector<Box> boxes;
  for (const EvaluationCrop& crop : evaluation_crops(set, height, width, options)) boxes.push_back(box_of(crop));
  return boxes;
}

// An image of 375 x 500: the middle square of side 375 begins at (500 - 375) / 2 = 62; at 256, crops of 224 end 32
// lower and to the right, and the centre begins at 16.
TEST(EvaluationCrops, TenOfALyingImage) {
  EXPECT_EQ(boxes_of(CropSet::kTen, 375, 500, options_of(224, 256)),
            (std::vector<Box>{{0, 62, 375, 256, 0, 0, 224, 0},
                              {0, 62, 375, 256, 0, 0, 224, 1},
                              {0, 62, 375, 256, 0, 32, 224, 0},
                              {0, 62, 375, 256, 0, 32, 224, 1},
                              {0, 62, 375, 256, 32, 0, 224, 0},
                              {0, 62, 375, 256, 32, 0, 224, 1},
                              {0, 62, 375, 256, 32, 32, 224, 0},
                              {0, 62, 375, 256, 32, 32, 224, 1},
                              {0, 62, 375, 256, 16, 16, 224, 0},
                              {0, 62, 375, 256, 16, 16, 224, 1}}));
}

// Without a larger size to resize to: 64 * 256 / 224 = 73.1, so corners end 9 further and the centre begins at 4.
TEST(EvaluationCrops, TenOfASmallImage) {
  const std::vector<Box> boxes = boxes_of(CropSet::kTen, 64, 64, options_of(64, 0));
  EXPECT_EQ(boxes.front(), (Box{0, 0, 64, 73, 0, 0, 64, 0}));
  EXPECT_EQ(boxes.at(6), (Box{0, 0, 64, 73, 9, 9, 64, 0}));
  EXPECT_EQ(boxes.back(), (Box{0, 0, 64, 73, 4, 4, 64, 1}));
}

// All of them. Sizes 256, 288, 320 and 352 leave 32, 64, 96 and 128 beside a crop of 224, so the centre begins at 16,
// 32, 48 and 64; the squares of 375 begin at 0, (500 - 375) / 2 = 62 and 500 - 375 = 125.
TEST(EvaluationCrops, EachOfGoogLeNetsHasItsPlace) {
  struct Scale {
    int64_t size, end, centre;
  };
  std::vector<Box> lying, upright;
  for (const Scale& scale : {Scale{256, 32, 16}, {288, 64, 32}, {320, 96, 48}, {352, 128, 64}}) {
    for (const int64_t square : {0, 62, 125}) {
      const std::vector<std::vector<int64_t>> places{{0, 0, 224},
                                                     {0, scale.end, 224},
                                                     {scale.end, 0, 224},
                                                     {scale.end, scale.end, 224},
                                                     {scale.centre, scale.centre, 224},
                                                     {0, 0, scale.size}};
      for (const auto& place : places) {
        for (const int64_t mirrored : {0, 1}) {
          lying.push_back({0, square, 375, scale.size, place[0], place[1], place[2], mirrored});
          upright.push_back({square, 0, 375, scale.size, place[0], place[1], place[2], mirrored});
        }
      }
    }
  }
  EXPECT_EQ(boxes_of(CropSet::kGoogLeNet, 375, 500, options_of(224, 256)), lying);
  EXPECT_EQ(boxes_of(CropSet::kGoogLeNet, 500, 375, options_of(224, 256)), upright);
}

TEST(EvaluationCrops, GoogLeNetsOfAnUprightImage) {
  const std::vector<Box> boxes = boxes_of(CropSet::kGoogLeNet, 500, 333, options_of(224, 256));
  EXPECT_EQ(boxes[0], (Box{0, 0, 333, 256, 0, 0, 224, 0}));
  EXPECT_EQ(boxes[12], (Box{83, 0, 333, 256, 0, 0, 224, 0}));   // (500 - 333) / 2 = 83.5
  EXPECT_EQ(boxes[24], (Box{167, 0, 333, 256, 0, 0, 224, 0}));  // 500 - 333
}

TEST(EvaluationCrops, AllLieInsideWhateverTheShape) {
  for (const auto& [height, width] : {std::pair<int64_t, int64_t>{1, 1}, {1, 900}, {900, 1}, {224, 224}, {33, 32}}) {
    for (const CropSet set : {CropSet::kTen, CropSet::kGoogLeNet}) {
      for (const EvaluationCrop& crop : evaluation_crops(set, height, width, options_of(32, 0))) {
        EXPECT_LE(crop.top + crop.side, height);
        EXPECT_LE(crop.left + crop.side, width);
        EXPECT_LE(crop.crop_top + crop.crop_side, crop.scale);
        EXPECT_LE(crop.crop_left + crop.crop_side, crop.scale);
        EXPECT_GE(crop.crop_side, 32);
      }
    }
  }
}

// A square whose pixels say where they are needs no resizing at scale = side, so each crop shows its own place.
TEST(CutCrops, CopiesTheRightPixels) {
  Image image;
  image.reshape(8, 8, 1);
  for (size_t i = 0; i < image.pixels.size(); ++i) image.pixels[i] = static_cast<uint8_t>(i);
  const std::vector<EvaluationCrop> crops{
      {.side = 8, .scale = 8, .crop_top = 3, .crop_left = 2, .crop_side = 2},
      {.side = 8, .scale = 8, .crop_top = 3, .crop_left = 2, .crop_side = 2, .mirrored = true},
      {.top = 4, .left = 4, .side = 4, .scale = 4, .crop_side = 2}};
  std::vector<uint8_t> out(12);
  cut_crops(image.view(), crops, 2, out.data());
  EXPECT_EQ(out, (std::vector<uint8_t>{26, 27, 34, 35, 27, 26, 35, 34, 36, 37, 44, 45}));
}

class CropsOfASet : public testing::TestWithParam<CropSet> {};

TEST_P(CropsOfASet, ComeFromOneDecodeOfEachImage) {
  EncodedSet images = jpeg_set(5);
  std::vector<int64_t> reads(5, 0);
  images.on_read = [&](int64_t index) { ++reads[static_cast<size_t>(index)]; };
  const int64_t decodes_before = jpeg_decodes;
  const DataOptions options = options_of(16, 0);
  const int64_t count = crops_in(GetParam());
  const std::unique_ptr<Dataset> crops = open_crops(images, options, GetParam());
  EXPECT_EQ(crops->size(), 5 * count);
  // Batches of two images' crops; the last one is padded.
  Loader loader(*crops, options, {.batch = 2 * count, .split = Split::kValidation});
  Batch batch;
  int64_t labelled = 0;
  while (loader.next(batch)) {
    for (int64_t i = 0; i < 2 * count; ++i) {
      if (batch.labels[i] < 0) continue;
      EXPECT_EQ(batch.labels[i], (batch.first_index + i) / count);
      ++labelled;
    }
  }
  EXPECT_EQ(labelled, 5 * count);
  EXPECT_EQ(reads, std::vector<int64_t>(5, 1));
  EXPECT_EQ(jpeg_decodes - decodes_before, 5);
}

INSTANTIATE_TEST_SUITE_P(All, CropsOfASet, testing::Values(CropSet::kTen, CropSet::kGoogLeNet),
                         [](const auto& test) { return test.param == CropSet::kTen ? "Ten" : "GoogLeNets"; });

TEST(Crops, OfADamagedImageAreAllSkipped) {
  const EncodedSet images = jpeg_set(3, {1});
  DataOptions options = options_of(16, 0);
  options.on_corrupt = OnCorrupt::kSkip;
  const std::unique_ptr<Dataset> crops = open_crops(images, options, CropSet::kTen);
  Loader loader(*crops, options, {.batch = 30, .split = Split::kValidation});
  Batch batch;
  ASSERT_TRUE(loader.next(batch));
  EXPECT_EQ(loader.counters().skipped, 10);
  for (int64_t i = 0; i < 30; ++i) EXPECT_EQ(batch.labels[i], i / 10 == 1 ? -1 : i / 10);
}

}  // namespace
}  // namespace bn
