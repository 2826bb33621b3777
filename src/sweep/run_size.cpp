#include "sweep/run_size.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "bn/dataset.hpp"
#include "bn/error.hpp"

namespace bn {
namespace {

// The options without those that say how the images of a set are read and shown to the network. What is left decides
// which images they are.
DataOptions which_images(DataOptions data) {
  const DataOptions preset;
  data.image_size = preset.image_size;
  data.resize_shorter = preset.resize_shorter;
  data.binarize = preset.binarize;
  data.mean = preset.mean;
  data.std = preset.std;
  data.augment = preset.augment;
  data.distortion = preset.distortion;
  data.lighting = preset.lighting;
  data.shuffle = preset.shuffle;
  data.exif_orientation = preset.exif_orientation;
  data.cache = Cache::kNone;  // the images are counted, not read
  data.workers = preset.workers;
  data.slots = preset.slots;
  return data;
}

}  // namespace

RunSize size_of_run(const TrainOptions& train, int64_t training_images, int64_t validation_images) {
  RunSize size{.validation_images = validation_images};
  size.steps_per_epoch = train.steps_per_epoch(training_images);
  if (size.steps_per_epoch < 1) {
    throw DataError(fmt::format("a batch of {} images is larger than the training set of {}", train.parts * train.batch,
                                training_images));
  }
  size.steps = train.steps_of_run(size.steps_per_epoch);
  const int64_t interval = train.evaluate_every > 0 ? train.evaluate_every : size.steps_per_epoch;
  size.evaluations = (size.steps + interval - 1) / interval;
  return size;
}

const DataSizes::Known& DataSizes::count_images(const DataOptions& data) {
  const DataOptions which = which_images(data);
  const auto same = std::find_if(known_.begin(), known_.end(), [&](const Known& known) { return known.data == which; });
  if (same != known_.end()) return *same;
  return known_.emplace_back(Known{.data = which,
                                   .training = open_dataset(which, Split::kTrain)->size(),
                                   .validation = open_dataset(which, Split::kValidation)->size()});
}

RunSize DataSizes::of(const Config& config) {
  const Known& images = count_images(config.data);
  return size_of_run(config.train, images.training, images.validation);
}

}  // namespace bn
