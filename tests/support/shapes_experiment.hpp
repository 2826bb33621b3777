// The parts that small experiments share: a network that learns generated shapes in a fraction of a second.
#pragma once

#include <fmt/format.h>

#include <string>

namespace bn::test {

// The section `model`: a perceptron of hidden layers with so many units.
inline std::string small_model(const std::string& hidden = "20", const std::string& normalization = "batch") {
  return fmt::format(
      "model: {{network: {{kind: mlp, image_size: 16, image_channels: 1, hidden: [{}]}}, classes: 10, "
      "normalization: {}}}\n",
      hidden, normalization);
}

// The section `data`; lines that follow it may add keys.
inline std::string shapes_data(int64_t training_images, int64_t validation_images) {
  return fmt::format(R"(data:
  kind: shapes
  shapes: {{image_size: 16, train_images: {}, validation_images: {}, seed: 1}}
  image_size: 16
  image_channels: 1
  resize_shorter: 0
  mean: [0.5]
  std: [0.25]
  augment: {{random_crop: false, flip: true}}
)",
                     training_images, validation_images);
}

}  // namespace bn::test
