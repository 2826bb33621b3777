// Decides which images a batch holds and how they are augmented. That is a pure function of (options, batch number), so
// it does not matter which thread fills which batch. The loader decides when and where batches are filled.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "bn/loader.hpp"
#include "bn/rng.hpp"
#include "data/augment.hpp"
#include "data/decode.hpp"
#include "data/image.hpp"

namespace bn {

// Memory of one batch, reused.
struct BatchStorage {
  std::span<uint8_t> images;  // [batch, image_size, image_size, channels], in one of the two that follow
  std::unique_ptr<Buffer> borrowed;
  std::vector<uint8_t> own;
  std::vector<int32_t> labels;
  int64_t valid = 0, first_index = 0, epoch = 0;
  std::vector<std::string> skipped;  // names of the images that could not be read
};

class BatchFiller {
 public:
  // Throws what makes the combination impossible: a batch larger than the training set, a crop larger than its image.
  BatchFiller(const Dataset& dataset, const DataOptions& data, const LoaderOptions& options);

  int64_t batches_per_epoch() const { return batches_per_epoch_; }
  BatchStorage make_storage() const;
  // Returns early, the batch unfinished, once stop is set.
  void fill(int64_t batch, BatchStorage& storage, const std::atomic<bool>& stop);

 private:
  enum class Outcome { kPlaced, kSkipped };

  void fill_training_image(int64_t epoch, int64_t position, int64_t slot, BatchStorage& storage);
  void fill_validation_image(int64_t index, int64_t slot, BatchStorage& storage);
  void prefetch(int64_t index);
  Outcome try_to_place(int64_t epoch, int64_t index, int64_t slot, BatchStorage& storage);
  // Puts aside the image read last.
  void quarantine(const std::string& name, const char* reason) const;
  void place(int64_t epoch, int64_t index, uint8_t* out);
  void place_encoded(const Dataset::Sample& sample, RowsBelow below, RandomStream& random, uint8_t* out);
  void place_raw(const Dataset::Sample& sample, RandomStream& random, uint8_t* out);
  void place_whole(const ImageView& image, int64_t resize_shorter, RandomStream& random, uint8_t* out) const;
  void distort_and_binarize(RandomStream& random, uint8_t* out) const;

  const Dataset& dataset_;
  DataOptions data_;
  LoaderOptions options_;
  int64_t image_bytes_;
  Sampler sampler_;
  int64_t batches_per_epoch_;
  AugmentOptions augment_;     // in evaluation without crop and flip
  bool is_in_memory_ = false;  // the image read last; all of a set are alike
  std::vector<uint8_t> encoded_;
  ImageDecoder decoder_;
  Image decoded_, converted_;
};

}  // namespace bn
