// The length of a run in steps, epochs and images.
#pragma once

#include <vector>

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
  struct Known {
    DataOptions data;
    int64_t training = 0, validation = 0;
  };
  const Known& count_images(const DataOptions& data);

  std::vector<Known> known_;
};

}  // namespace bn
