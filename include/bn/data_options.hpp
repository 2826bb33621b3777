// The data that a run reads, and how: the keys below `data:`.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace bn {

enum class DatasetKind { kShapes, kMnist, kFolder, kTar, kPacked };
enum class OnCorrupt { kFail, kSkip, kQuarantine };  // quarantine: skipped, and a copy put aside to be looked at
enum class Decoder { kJpegTurbo, kOpencv };          // decodes JPEG; it has no part in other formats
enum class ExifOrientation { kIgnore, kApply };
// Decides what of a set is kept in memory from the start; over 2 GB is an error. kDecoded keeps all pixels. kShrunk
// keeps training images, shrunk to twice the size that evaluation resizes to where they are larger, for photos that
// take longer to decode than to learn from.
enum class Cache { kNone, kDecoded, kShrunk };
// kShards: a random order of shards (tar files), the images of each in file order, so that the same ones keep meeting
// in a batch. kWithinShard: each shard's images in random order too. kFull: one permutation of all images.
enum class Shuffle { kNone, kShards, kWithinShard, kFull };
enum class Interpolation { kArea, kRandom };

struct ShapesOptions {  // generated: 10 classes of drawn, textured shapes
  int64_t image_size = 32;
  int64_t train_images = 10000, validation_images = 2000;
  uint64_t seed = 1;
  bool operator==(const ShapesOptions&) const = default;
};

struct AugmentOptions {
  bool random_crop = true;  // GoogLeNet: area and aspect drawn uniformly below, resized to image_size
  double min_area = 0.08, max_area = 1.0;
  double min_aspect = 0.75, max_aspect = 4.0 / 3.0;
  bool flip = true;
  Interpolation interpolation = Interpolation::kArea;  // kRandom: bilinear, area, nearest or cubic at equal odds
  bool operator==(const AugmentOptions&) const = default;
};

// The validation images are part of the training paths' images, chosen by their contents.
struct SplitOptions {
  double validation = 0;  // this share of each class; 0 = the validation paths have them
  uint64_t seed = 1;      // another seed chooses others
  bool operator==(const SplitOptions&) const = default;
};

struct DataOptions {
  DatasetKind kind = DatasetKind::kShapes;
  // Paths are relative to BN_DATA_ROOT, or absolute. mnist takes {images, labels}; folder takes one; tar takes one or
  // more; packed takes the folder that bn-data pack made.
  std::vector<std::string> train{}, validation{};
  SplitOptions split{};   // kinds folder and tar
  std::string classes{};  // file of class names, one a line (first word), in index order; empty = sorted names found
  int64_t classes_limit = 0;  // first N classes only; 0 = all
  // No key of the configuration: the classes that a network was trained on, by index, for its evaluation.
  std::vector<std::string> trained_classes{};
  ShapesOptions shapes{};
  int64_t image_size = 224;  // side of the network's input
  int64_t image_channels = 3;
  // Evaluation: shorter side, then centre crop of image_size; 0 = no resize, but smaller images grow to image_size. Raw
  // sets (mnist, shapes) ignore it: they are resized to image_size itself.
  int64_t resize_shorter = 256;
  int64_t binarize = -1;                            // pixel > threshold becomes 255, else 0; -1 = off
  std::vector<double> mean{0, 0, 0}, std{1, 1, 1};  // per channel, for pixels scaled to 0..1
  AugmentOptions augment{};
  double distortion = 0;  // strength of the photometric distortion, 0 (off) to 1
  // The vectors that PCA lighting adds, one after the other: the eigenvectors of the pixels' RGB covariance, each times
  // its eigenvalue (Krizhevsky et al. 2012, sec. 4.1), for pixels scaled to 0..1. The defaults are ImageNet's.
  std::vector<double> lighting{-0.1234, -0.1263, -0.1269, 0.0135, -0.0001, -0.0131, 0.0018, -0.0037, 0.0019};
  Shuffle shuffle = Shuffle::kFull;
  OnCorrupt on_corrupt = OnCorrupt::kFail;
  Decoder decoder = Decoder::kJpegTurbo;
  ExifOrientation exif_orientation = ExifOrientation::kIgnore;
  Cache cache = Cache::kNone;
  int64_t workers = 1;  // 0 = in the calling thread
  int64_t slots = 4;    // ring size, batches
  bool operator==(const DataOptions&) const = default;
};

}  // namespace bn
