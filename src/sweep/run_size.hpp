// The length of a run in steps, epochs and images.
#pragma once

#include <map>
#include <string>

#include "bn/config.hpp"

namespace bn {

struct RunSize {
  int64_t steps = 0, steps_per_epoch = 0;
  int64_t evaluations = 0, validation_images = 0;
  double epochs() const { return static_cast<double>(steps) / static_cast<double>(steps_per_epoch); }
};

RunSize size_of_run(const TrainOptions& train, int64_t training_images, int64_t validation_images);

// Opens each data set once, however many runs use it.
class DataSizes {
 public:
  RunSize of(const Config& config);  // throws DataError

 private:
  std::map<std::string, int64_t> images_;  // key: what identifies the set
};

}  // namespace bn
