#include "data/batch_filler.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "bn/error.hpp"
#include "bn/rng.hpp"
#include "data/augment.hpp"
#include "data/decode.hpp"
#include "data/distort.hpp"

namespace bn {
namespace {

void require(bool holds, const char* what) {
  if (!holds) throw ConfigError(fmt::format("data: {}", what));
}

void check_options(const DataOptions& data, const LoaderOptions& options) {
  const auto& augment = data.augment;
  require(options.batch >= 1, "the batch must hold at least one image");
  require(data.image_size >= 1, "image_size must be at least 1");
  require(data.image_channels == 1 || data.image_channels == 3, "image_channels must be 1 or 3");
  require(data.resize_shorter == 0 || data.resize_shorter >= data.image_size,
          "resize_shorter must be 0 or at least image_size, or the centre crop does not fit");
  require(data.binarize >= -1 && data.binarize <= 255, "binarize must be -1 (off) or a threshold of 0 to 255");
  require(augment.min_area > 0 && augment.min_area <= augment.max_area && augment.max_area <= 1,
          "augment needs 0 < min_area <= max_area <= 1");
  require(augment.min_aspect > 0 && augment.min_aspect <= augment.max_aspect,
          "augment needs 0 < min_aspect <= max_aspect");
  require(data.distortion >= 0 && data.distortion <= 1, "distortion must be a strength from 0 to 1");
  require(data.distortion == 0 || data.image_channels == 3, "distortion needs image_channels: 3");
  require(data.lighting.size() == 9, "lighting must have nine values, three directions of R, G and B");
}

int64_t checked_image_bytes(const DataOptions& data, const LoaderOptions& options) {
  check_options(data, options);
  return data.image_size * data.image_size * data.image_channels;
}

int64_t count_batches(int64_t images, int64_t own_images, const LoaderOptions& options) {
  if (options.split == Split::kValidation) return (images + options.batch - 1) / options.batch;
  if (options.batch > own_images) {
    const std::string part = options.part.world > 1 ? fmt::format(" for each of {} processes", options.part.world) : "";
    throw DataError(
        fmt::format("a batch of {} images{} is larger than the training set of {}", options.batch, part, images));
  }
  return own_images / options.batch;
}

}  // namespace

BatchFiller::BatchFiller(const Dataset& dataset, const DataOptions& data, const LoaderOptions& options)
    : dataset_(dataset),
      data_(data),
      options_(options),
      image_bytes_(checked_image_bytes(data, options)),
      sampler_(dataset.shard_sizes(), data.shuffle, options.seed, options.part),
      batches_per_epoch_(count_batches(dataset.size(), sampler_.size(), options)),
      augments_(options.split == Split::kTrain &&
                (data.augment.random_crop || data.augment.flip || data.distortion > 0)) {}

BatchStorage BatchFiller::make_storage() const {
  BatchStorage storage;
  storage.images.resize(static_cast<size_t>(options_.batch * image_bytes_));
  storage.labels.resize(static_cast<size_t>(options_.batch));
  return storage;
}

void BatchFiller::fill(int64_t batch, BatchStorage& storage, const std::atomic<bool>& stop) {
  const int64_t epoch = batch / batches_per_epoch_;
  const int64_t first = batch % batches_per_epoch_ * options_.batch;
  storage.skipped.clear();
  storage.epoch = epoch;
  storage.first_index = first;
  storage.valid = options_.split == Split::kTrain ? options_.batch : std::min(options_.batch, dataset_.size() - first);
  for (int64_t i = 0; i < options_.batch && !stop.load(std::memory_order_relaxed); ++i) {
    if (options_.split == Split::kTrain) {
      if (is_raw_ && i + 1 < options_.batch) prefetch(sampler_.index(epoch, first + i + 1));
      fill_training_image(epoch, first + i, i, storage);
    } else {
      fill_validation_image(first + i, i, storage);
    }
  }
}

// A shuffled set lies anywhere in memory: fetching the next image while this one is copied hides half of the wait.
void BatchFiller::prefetch(int64_t index) {
  constexpr int64_t kCacheLine = 64, kMost = 1024;
  const Dataset::Sample sample = dataset_.read(index, encoded_);
  for (int64_t i = 0; i < std::min(sample.bytes, kMost); i += kCacheLine) __builtin_prefetch(sample.data + i);
}

// An image that cannot be read is replaced by the one at the next position of the epoch.
void BatchFiller::fill_training_image(int64_t epoch, int64_t position, int64_t slot, BatchStorage& storage) {
  const int64_t size = sampler_.size();
  for (int64_t i = 0; i < size; ++i) {
    const int64_t index = sampler_.index(epoch, (position + i) % size);
    if (try_to_place(epoch, index, slot, storage) == Outcome::kPlaced) return;
  }
  throw DataError(fmt::format("none of the {} images of the training set can be read; the first: {}", size,
                              storage.skipped.front()));
}

void BatchFiller::fill_validation_image(int64_t index, int64_t slot, BatchStorage& storage) {
  if (index < dataset_.size() && try_to_place(0, index, slot, storage) == Outcome::kPlaced) return;
  std::fill_n(storage.images.begin() + slot * image_bytes_, image_bytes_, uint8_t{0});
  storage.labels[static_cast<size_t>(slot)] = -1;
}

BatchFiller::Outcome BatchFiller::try_to_place(int64_t epoch, int64_t index, int64_t slot, BatchStorage& storage) {
  try {
    place(epoch, index, storage.images.data() + slot * image_bytes_);
    storage.labels[static_cast<size_t>(slot)] = dataset_.label(index);
    return Outcome::kPlaced;
  } catch (DataError& error) {
    if (data_.on_corrupt == OnCorrupt::kFail) {
      throw DataError(
          fmt::format("{}: {}; on_corrupt: skip would go on without it", dataset_.name(index), error.what()));
    }
    storage.skipped.push_back(dataset_.name(index));
    return Outcome::kSkipped;
  }
}

void BatchFiller::place(int64_t epoch, int64_t index, uint8_t* out) {
  const Dataset::Sample sample = dataset_.read(index, encoded_);
  is_raw_ = sample.raw_channels > 0;
  ImageView image{sample.data, sample.raw_height, sample.raw_width, sample.raw_channels};
  if (!is_raw_) {
    decode_image(sample.data, sample.bytes, data_.image_channels, decoded_);
    image = decoded_.view();
  }
  if (image.channels != data_.image_channels) {
    convert_channels(image, data_.image_channels, converted_);
    image = converted_.view();
  }
  // Raw sets come at about the size the network wants: no detour by a larger one.
  const int64_t resize_shorter = is_raw_ ? data_.image_size : data_.resize_shorter;
  const bool fits = image.height == data_.image_size && image.width == data_.image_size;
  if (!augments_ && fits && (resize_shorter == 0 || resize_shorter == data_.image_size)) {
    finish(image.data, out);
    return;
  }
  place_cropped(image, epoch, index, resize_shorter, out);
  finish(out, out);
}

void BatchFiller::place_cropped(const ImageView& image, int64_t epoch, int64_t index, int64_t resize_shorter,
                                uint8_t* out) const {
  if (!augments_) return resize_and_center_crop(image, resize_shorter, data_.image_size, out);
  static constexpr uint64_t kStream = hash_name("data/augmentation");
  constexpr uint64_t kOdd = 0xD1B54A32D192ED03ULL;  // spreads the epochs over the streams
  RandomStream random(options_.seed, kStream + static_cast<uint64_t>(epoch) * kOdd, static_cast<uint64_t>(index));
  const Crop crop = draw_crop(data_.augment, image.height, image.width, random);
  if (data_.augment.random_crop) {
    resize_crop(image, crop, data_.image_size, out);
  } else {
    resize_and_center_crop(image, resize_shorter, data_.image_size, out);
    if (crop.mirrored) mirror(out, data_.image_size, image.channels);
  }
  if (data_.distortion == 0) return;
  const Distortion distortion = draw_distortion(data_.distortion, data_.lighting, random);
  distort(distortion, data_.image_size * data_.image_size, out);
}

void BatchFiller::finish(const uint8_t* pixels, uint8_t* out) const {
  const int64_t bytes = image_bytes_;  // a byte written could be this member, as far as the compiler knows
  if (pixels != out) std::copy_n(pixels, bytes, out);
  if (data_.binarize < 0) return;
  const auto threshold = static_cast<uint8_t>(data_.binarize);
  for (int64_t i = 0; i < bytes; ++i) out[i] = out[i] > threshold ? 255 : 0;
}

}  // namespace bn
