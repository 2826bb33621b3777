// Images and labels: data sets opened in place, an order no thread count can change, workers that fill a ring of
// u8 NHWC batches. Knows no backend and no network.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "bn/tensor.hpp"

namespace bn {

enum class DatasetKind { kShapes, kMnist, kFolder, kTar, kPacked };
enum class OnCorrupt { kFail, kSkip, kQuarantine };  // quarantine: skipped, and a copy put aside to be looked at
enum class Decoder { kJpegTurbo, kOpencv };          // of JPEG; other formats are always OpenCV's
enum class ExifOrientation { kIgnore, kApply };
enum class Cache { kNone, kDecoded };  // decoded: all pixels in memory from the start, up to 2 GB
// kShards: a random order of shards (tar files), the images of each in file order, so that the same ones keep meeting
// in a batch. kWithinShard: each shard's images in random order too. kFull: one permutation of all images.
enum class Shuffle { kNone, kShards, kWithinShard, kFull };
enum class Interpolation { kArea, kRandom };
enum class Split { kTrain, kValidation };

struct ShapesOptions {  // generated: 10 classes of drawn, textured shapes
  int64_t image_size = 32;
  int64_t train_images = 10000, validation_images = 2000;
  uint64_t seed = 1;
};

struct AugmentOptions {
  bool random_crop = true;  // GoogLeNet: area and aspect drawn uniformly below, resized to image_size
  double min_area = 0.08, max_area = 1.0;
  double min_aspect = 0.75, max_aspect = 4.0 / 3.0;
  bool flip = true;
  Interpolation interpolation = Interpolation::kArea;  // kRandom: bilinear, area, nearest or cubic at equal odds
};

struct DataOptions {
  DatasetKind kind = DatasetKind::kShapes;
  // Paths relative to BN_DATA_ROOT (or absolute). mnist: {images, labels}; folder: one; tar: one or more;
  // packed: the folder that bn-data pack made.
  std::vector<std::string> train{}, validation{};
  std::string classes{};  // file of class names, one a line (first word), in index order; empty = sorted names found
  int64_t classes_limit = 0;  // first N classes only; 0 = all
  ShapesOptions shapes{};
  int64_t image_size = 224;  // of the network's input
  int64_t image_channels = 3;
  // Evaluation: shorter side, then centre crop of image_size; 0 = no resize. Raw sets (mnist, shapes) ignore it: they
  // are resized to image_size itself.
  int64_t resize_shorter = 256;
  int64_t binarize = -1;                            // pixel > threshold becomes 255, else 0; -1 = off
  std::vector<double> mean{0, 0, 0}, std{1, 1, 1};  // per channel, of pixels scaled to 0..1
  AugmentOptions augment{};
  double distortion = 0;  // strength of the photometric distortion, 0 (off) to 1
  // What PCA lighting adds: the eigenvectors of the pixels' RGB covariance, each times its eigenvalue (Krizhevsky et
  // al. 2012, sec. 4.1), one after the other, of pixels scaled to 0..1. Here ImageNet's.
  std::vector<double> lighting{-0.1234, -0.1263, -0.1269, 0.0135, -0.0001, -0.0131, 0.0018, -0.0037, 0.0019};
  Shuffle shuffle = Shuffle::kFull;
  OnCorrupt on_corrupt = OnCorrupt::kFail;
  Decoder decoder = Decoder::kJpegTurbo;
  ExifOrientation exif_orientation = ExifOrientation::kIgnore;
  Cache cache = Cache::kNone;
  int64_t workers = 1;  // 0 = in the calling thread
  int64_t slots = 4;    // ring size, batches
};

// A set of labelled images. read() is thread-safe.
class Dataset {
 public:
  virtual ~Dataset() = default;
  virtual int64_t size() const = 0;
  virtual int32_t label(int64_t index) const = 0;
  virtual std::string name(int64_t index) const = 0;  // for messages: "val.tar:val/n01443537/val_12.JPEG"
  virtual const std::vector<std::string>& class_names() const = 0;
  // Of the image's file, if that is known without reading it; else 0.
  virtual int64_t stored_bytes(int64_t) const { return 0; }
  // Images of each file that holds many, in the order of their indices.
  virtual std::vector<int64_t> shard_sizes() const { return {size()}; }

  // Either encoded bytes (JPEG, PNG, ...) or raw u8 pixels of a fixed size.
  struct Sample {
    const uint8_t* data = nullptr;  // valid until the next read() with the same storage
    int64_t bytes = 0;
    int64_t raw_height = 0, raw_width = 0, raw_channels = 0;  // 0: encoded
    // A set made at about the size the network wants is resized to just that; pixels of pictures, decoded once, are
    // treated as the pictures would be.
    enum class Resizing { kDirect, kAsEncoded };
    Resizing resizing = Resizing::kDirect;
  };
  virtual Sample read(int64_t index, std::vector<uint8_t>& storage) const = 0;
};

// Throws DataError: missing file, truncated gz or idx, count mismatch, an empty class, ... naming the file.
std::unique_ptr<Dataset> open_dataset(const DataOptions& options, Split split);

// Crops of an image for evaluation. kTen: the corners and the centre of the middle square, and their mirror images.
// kGoogLeNet: 144, of four sizes, three squares, six places and the mirror (Szegedy et al. 2014, sec. 7).
enum class CropSet { kSingle, kTen, kGoogLeNet };
int64_t crops_in(CropSet set);
// `images` with each image replaced by its crops of image_size, one after the other. The crops of an image read in a
// row with the same storage come from one decode. Of raw pixels; `images` must outlive it.
std::unique_ptr<Dataset> open_crops(const Dataset& images, const DataOptions& options, CropSet set);

// Images in tar files or folders without class folders, as the official validation archive has them, labelled by a file
// of lines "NAME INDEX". DataError unless each image has one label and each label one image.
std::unique_ptr<Dataset> open_labelled_images(const std::vector<std::string>& paths, const std::string& labels);
// `images` without those named, a line each, in a file: NAME.JPEG, NAME, or a number N for ILSVRC2012_val_N. DataError
// for a line that names no image.
std::unique_ptr<Dataset> exclude_images(std::unique_ptr<Dataset> images, const std::string& list);

// Resolves a path of the configuration against BN_DATA_ROOT; DataError when relative and the variable is unset.
std::string resolve_data_path(const std::string& path);

// One process among several that train together.
struct Part {
  int64_t rank = 0, world = 1;
};

// The order of training images: position -> (epoch, index). Stateless but for a cached order per epoch. Of several
// processes, that of rank r has the positions r, r + world, r + 2 world, ... of the one order that all draw alike:
// equal and disjoint parts, and together the batches that one process would have with a batch of world times the size.
class Sampler {
 public:
  Sampler(std::vector<int64_t> shard_sizes, Shuffle shuffle, uint64_t seed, Part part = {});
  int64_t size() const { return size_ / part_.world; }  // positions of this part
  int64_t index(int64_t epoch, int64_t position);       // position in 0..size()-1
 private:
  void draw_order(int64_t epoch);

  std::vector<int64_t> shard_sizes_;
  int64_t size_;  // images of all parts
  Shuffle shuffle_;
  uint64_t seed_;
  Part part_;
  int64_t cached_epoch_ = -1;
  std::vector<int64_t> order_;
};

struct LoaderOptions {
  int64_t batch = 0;
  Split split = Split::kTrain;  // train: shuffled, augmented, endless, incomplete last batch of an epoch dropped.
                                // validation: file order, centre crop, each image once, last batch padded with label -1
  uint64_t seed = 0;
  int64_t first_batch = 0;   // training: the batch (step) to start at, for resuming
  Part part{};               // training
  std::string quarantine{};  // folder for on_corrupt: quarantine; empty = images are only named
};

struct Batch {
  Tensor images{};                  // u8 [batch, image_size, image_size, channels], host
  const int32_t* labels = nullptr;  // [batch]; -1 = padding
  int64_t valid = 0;                // images before the padding; of these, a skipped one is labelled -1 (on_corrupt)
  int64_t first_index = 0;          // validation: dataset index of images[0]
  int64_t epoch = 0;                // training
};

struct LoaderCounters {
  double wait_seconds = 0;                   // the caller waited for a slot
  int64_t skipped = 0;                       // undecodable images replaced by the next one (on_corrupt: skip)
  std::vector<std::string> skipped_names{};  // the first 100, each once
};

class Loader {
 public:
  Loader(const Dataset& dataset, const DataOptions& data, const LoaderOptions& options);
  ~Loader();
  Loader(const Loader&) = delete;
  Loader& operator=(const Loader&) = delete;

  int64_t batches_per_epoch() const;
  // Training: never ends. Validation: false after the last batch. The batch stays valid until the next call.
  // Rethrows what a worker threw.
  bool next(Batch& batch);
  LoaderCounters counters() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

std::string image_library();  // the one that is loaded: "OpenCV 4.6.0"

}  // namespace bn
