#include "sweep/run_size.hpp"

#include <fmt/format.h>

#include "bn/dataset.hpp"
#include "bn/error.hpp"

namespace bn {
namespace {

std::string identity_of(const DataOptions& data, Split split) {
  return fmt::format("{}|{}|{}|{}|{}|{}|{}|{}|{}|{}", static_cast<int>(data.kind), static_cast<int>(split),
                     fmt::join(data.train, "|"), fmt::join(data.validation, "|"), data.classes, data.classes_limit,
                     data.shapes.image_size, data.shapes.train_images, data.shapes.validation_images, data.shapes.seed);
}

int64_t images_in(const DataOptions& data, Split split, std::map<std::string, int64_t>& known) {
  const auto [entry, is_new] = known.try_emplace(identity_of(data, split), 0);
  if (is_new) {
    DataOptions files = data;
    files.cache = Cache::kNone;  // the images are counted, not read
    entry->second = open_dataset(files, split)->size();
  }
  return entry->second;
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

RunSize DataSizes::of(const Config& config) {
  const int64_t training = images_in(config.data, Split::kTrain, images_);
  return size_of_run(config.train, training, images_in(config.data, Split::kValidation, images_));
}

}  // namespace bn
