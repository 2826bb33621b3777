// `bninception new` chooses how a network is trained on a user's pictures, and writes that as a file.
#pragma once

#include <cstdint>
#include <string>

#include "commands/photo_set.hpp"

namespace bn {

struct PhotoRecipe {
  int64_t image_size = 64;
  int64_t batch = 32, steps_per_epoch = 1, epochs = 60;
  int64_t evaluate_every = 1;  // steps
  Cache cache = Cache::kNone;
  double learning_rate = 0.05;
  double decay_epochs = 6;
};

// Depends on the number of training images and on the size of the pictures alone.
PhotoRecipe choose_recipe(int64_t training_images, int64_t median_shorter_side);

std::string to_yaml(const PhotoSet& set, const PhotoRecipe& recipe);

}  // namespace bn
