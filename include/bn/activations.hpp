// The values inside a network for one image: any op's output, and where a class is seen.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "bn/backend.hpp"
#include "bn/net.hpp"
#include "bn/parameters.hpp"
#include "bn/plan.hpp"

namespace bn {

// The op whose output is that of a row of the network's table ("inception_5b", "pool5", "hidden1"); an op's own name
// stands for itself. Throws ConfigError with the nearest name where there is none.
std::string output_op_of_row(const Net& net, const std::string& row);

struct ImageOutput {
  int64_t height = 0, width = 0, channels = 0;
  std::vector<float> values{};  // [height, width, channels]
};
// The image at this place in the batch of the plan's last forward; the op is among PlanOptions::keep.
ImageOutput output_of_image(const Plan& plan, Backend& backend, const std::string& op, int64_t place);
// [channels]: the mean over all positions.
std::vector<float> mean_over_positions(const ImageOutput& output);

// Class activation maps (Zhou et al. 2016, sec. 2): a network that averages its last feature map whole and reads the
// averages by one linear layer gives a class the score bias + mean over positions of (w_class . features at a
// position). The terms of that mean are the map, so it is exact.
class ClassActivation {
 public:
  // Throws ConfigError for a network of another form.
  explicit ClassActivation(const Net& net);

  const std::string& features() const { return features_; }  // the op that a plan has to keep
  void read_weights(const Parameters& parameters, WeightsCopy copy);
  // [height, width, 1]. `output` is that of features().
  ImageOutput map(const ImageOutput& output, int32_t class_index) const;

 private:
  std::string features_;
  int weights_parameter_ = -1;
  int64_t channels_ = 0;
  std::vector<float> weights_;  // [classes, channels]
};

}  // namespace bn
