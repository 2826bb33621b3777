#include "data/batch_filler.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "bn/error.hpp"
#include "data/distort.hpp"
#include "system/files.hpp"

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
  if (options.split == Split::kValidation) {
    const int64_t batches = (images + options.batch - 1) / options.batch;
    return (batches + options.part.world - 1 - options.part.rank) / options.part.world;
  }
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
      sampler_(dataset.shard_sizes(), data.shuffle, options.seed,
               options.split == Split::kTrain ? options.part : Part{}),
      batches_per_epoch_(count_batches(dataset.size(), sampler_.size(), options)),
      augment_(data.augment),
      decoder_(decode_options(data)) {
  if (options.split == Split::kValidation) augment_ = {.random_crop = false, .flip = false};
}

BatchStorage BatchFiller::make_storage() const {
  BatchStorage storage;
  const auto bytes = static_cast<size_t>(options_.batch * image_bytes_);
  if (options_.allocate) storage.borrowed = options_.allocate(static_cast<int64_t>(bytes));
  if (storage.borrowed) {
    storage.images = {static_cast<uint8_t*>(storage.borrowed->data()), bytes};
  } else {
    storage.own.resize(bytes);
    storage.images = storage.own;
  }
  storage.labels.resize(static_cast<size_t>(options_.batch));
  return storage;
}

void BatchFiller::fill(int64_t batch, BatchStorage& storage, const std::atomic<bool>& stop) {
  const bool trains = options_.split == Split::kTrain;
  const int64_t epoch = trains ? batch / batches_per_epoch_ : 0;
  const int64_t place = trains ? batch % batches_per_epoch_ : batch * options_.part.world + options_.part.rank;
  const int64_t first = place * options_.batch;
  storage.skipped.clear();
  storage.epoch = epoch;
  storage.first_index = first;
  storage.valid = trains ? options_.batch : std::min(options_.batch, dataset_.size() - first);
  for (int64_t i = 0; i < options_.batch && !stop.load(std::memory_order_relaxed); ++i) {
    if (options_.split == Split::kTrain) {
      if (is_in_memory_ && i + 1 < options_.batch) prefetch(sampler_.index(epoch, first + i + 1));
      fill_training_image(epoch, first + i, i, storage);
    } else {
      fill_validation_image(first + i, i, storage);
    }
  }
}

// A shuffled set lies anywhere in memory: fetching the next image while this one is copied hides half of the wait. An
// image that cannot be read is reported only when its turn comes.
void BatchFiller::prefetch(int64_t index) {
  constexpr int64_t kCacheLine = 64, kMost = 1024;
  try {
    const Dataset::Sample sample = dataset_.read(index, encoded_);
    for (int64_t i = 0; i < std::min(sample.bytes, kMost); i += kCacheLine) __builtin_prefetch(sample.data + i);
  } catch (const DataError&) {
  }
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
  std::fill_n(storage.images.data() + slot * image_bytes_, image_bytes_, uint8_t{0});
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
    if (data_.on_corrupt == OnCorrupt::kQuarantine) quarantine(storage.skipped.back(), error.what());
    return Outcome::kSkipped;
  }
}

void BatchFiller::quarantine(const std::string& name, const char* reason) const {
  if (options_.quarantine.empty()) return;
  std::string file;  // no two images share it
  for (const char c : name) file += c == '/' ? "%2F" : c == ':' ? "%3A" : c == '%' ? "%25" : std::string(1, c);
  constexpr size_t kLongest = 200;  // the name's end says which image it is
  if (file.size() > kLongest) file = fmt::format("{:016x}-{}", hash_name(name), file.substr(file.size() - kLongest));
  std::error_code error;  // if it stays, writing fails and says so
  std::filesystem::create_directories(options_.quarantine, error);
  const std::string path = options_.quarantine + "/" + file;
  // It is empty where the image could not be read.
  if (!encoded_.empty()) write_file(path, {reinterpret_cast<const char*>(encoded_.data()), encoded_.size()});
  write_file(path + ".txt", fmt::format("{}: {}\n", name, reason));
}

void BatchFiller::place(int64_t epoch, int64_t index, uint8_t* out) {
  static constexpr uint64_t kStream = hash_name("data/augmentation");
  constexpr uint64_t kOdd = 0xD1B54A32D192ED03ULL;  // spreads the epochs over the streams
  RandomStream random(options_.seed, kStream + static_cast<uint64_t>(epoch) * kOdd, static_cast<uint64_t>(index));
  const Dataset::Sample sample = dataset_.read(index, encoded_);
  if (sample.raw_channels == 0) {
    // Checking in each epoch would make files of ImageNet's size a tenth slower. A packed image was decoded strictly.
    const bool is_first_visit = epoch == 0 && !dataset_.recorded_checksum(index);
    place_encoded(sample, is_first_visit ? RowsBelow::kChecked : RowsBelow::kUnread, random, out);
  } else {
    is_in_memory_ = sample.data != encoded_.data();
    place_raw(sample, random, out);
  }
  distort_and_binarize(random, out);
}

void BatchFiller::place_encoded(const Dataset::Sample& sample, RowsBelow below, RandomStream& random, uint8_t* out) {
  const Region whole = decoder_.open(sample.data, sample.bytes);
  if (!augment_.random_crop) {
    decoder_.decode(decoded_);
    place_whole(decoded_.view(), data_.resize_shorter, random, out);
    return;
  }
  Crop crop = draw_crop(augment_, whole.height, whole.width, random);
  const Region place = decoder_.decode_region(
      {.top = crop.top, .left = crop.left, .height = crop.height, .width = crop.width}, decoded_, below);
  crop.top = place.top;
  crop.left = place.left;
  resize_crop(decoded_.view(), crop, data_.image_size, out);
}

void BatchFiller::place_raw(const Dataset::Sample& sample, RandomStream& random, uint8_t* out) {
  const ImageView image = decoder_.pixels(sample, converted_);
  if (augment_.random_crop) {
    resize_crop(image, draw_crop(augment_, image.height, image.width, random), data_.image_size, out);
  } else {
    // Sets made at about the size the network wants: no detour by a larger one.
    const bool direct = sample.resizing == Dataset::Sample::Resizing::kDirect;
    place_whole(image, direct ? data_.image_size : data_.resize_shorter, random, out);
  }
}

void BatchFiller::place_whole(const ImageView& image, int64_t resize_shorter, RandomStream& random,
                              uint8_t* out) const {
  const bool fits = image.height == data_.image_size && image.width == data_.image_size;
  if (fits && (resize_shorter == 0 || resize_shorter == data_.image_size)) {
    std::copy_n(image.data, image_bytes_, out);
  } else {
    resize_and_center_crop(image, resize_shorter, data_.image_size, out);
  }
  if (draw_crop(augment_, image.height, image.width, random).mirrored) mirror(out, data_.image_size, image.channels);
}

void BatchFiller::distort_and_binarize(RandomStream& random, uint8_t* out) const {
  if (data_.distortion > 0 && options_.split == Split::kTrain) {
    distort(draw_distortion(data_.distortion, data_.lighting, random), data_.image_size * data_.image_size, out);
  }
  if (data_.binarize < 0) return;
  const int64_t bytes = image_bytes_;  // a copy: the compiler must assume that writing `out` can change the member
  const auto threshold = static_cast<uint8_t>(data_.binarize);
  for (int64_t i = 0; i < bytes; ++i) out[i] = out[i] > threshold ? 255 : 0;
}

}  // namespace bn
