#include "commands/photo_recipe.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>

#include "config/yaml_node.hpp"

namespace bn {
namespace {

std::string quoted(const std::string& text) { return config::print_flow(config::text_node(text)); }

std::string data_lines(const PhotoSet& set) {
  const DataOptions& data = set.data;
  std::string lines = data.kind == DatasetKind::kTar ? "  kind: tar  # of class folders, read where it lies\n"
                                                     : "  kind: folder  # a folder for each class\n";
  lines += fmt::format("  train: [{}]\n", quoted(data.train.front()));
  if (data.split.validation > 0) {
    lines += fmt::format(
        "  split: {{validation: {}}}  # of each class; copies of a file stay on one side, the seed chooses others\n",
        data.split.validation);
  } else {
    lines += fmt::format("  validation: [{}]\n  split: {{validation: 0}}\n", quoted(data.validation.front()));
  }
  const Survey& survey = set.survey;
  std::array<double, 3> deviation = survey.deviation;
  for (double& value : deviation) value = std::max(value, 0.01);  // pictures in one colour have a deviation of 0
  lines += fmt::format("  mean: [{:.3f}]  # of the pixels of {} images\n  std: [{:.3f}]\n",
                       fmt::join(survey.mean, ", "), survey.measured, fmt::join(deviation, ", "));
  return lines;
}

}  // namespace

// The rules are few: the paper's network wants tens of thousands of pictures of its size. A smaller set is seen more
// often, and a tiny one in smaller batches at a rate in proportion, so that there are some hundred steps.
PhotoRecipe choose_recipe(int64_t training_images, int64_t median_shorter_side) {
  constexpr int64_t kMany = 20'000, kFullSide = 160;
  constexpr int64_t kSeen = 60'000, kLeastEpochs = 15, kMostEpochs = 60, kLeastSteps = 400, kMostOfTiny = 200;
  constexpr int64_t kBatch = 32, kEvaluations = 10, kDecays = 10;
  constexpr double kRate = 0.05;
  PhotoRecipe recipe;
  if (training_images >= kMany && median_shorter_side >= kFullSide) recipe.image_size = 224;
  // Large photos would be decoded anew in each epoch, which takes longer than all else.
  constexpr int64_t kLarge = 400, kMostCached = 10'000;
  if (median_shorter_side >= kLarge && training_images <= kMostCached) recipe.cache = Cache::kShrunk;
  const auto quarter = static_cast<uint64_t>(std::max<int64_t>(training_images / 4, 2));
  recipe.batch = std::min(kBatch, static_cast<int64_t>(std::bit_floor(quarter)));
  recipe.steps_per_epoch = std::max<int64_t>(1, training_images / recipe.batch);
  recipe.epochs = std::clamp(kSeen / training_images, kLeastEpochs, kMostEpochs);
  const int64_t epochs_of_least_steps = (kLeastSteps + recipe.steps_per_epoch - 1) / recipe.steps_per_epoch;
  recipe.epochs = std::max(recipe.epochs, std::min(epochs_of_least_steps, kMostOfTiny));
  recipe.evaluate_every = recipe.steps_per_epoch * ((recipe.epochs + kEvaluations - 1) / kEvaluations);
  recipe.learning_rate = kRate * static_cast<double>(recipe.batch) / static_cast<double>(kBatch);
  recipe.decay_epochs = static_cast<double>(recipe.epochs) / static_cast<double>(kDecays);
  return recipe;
}

std::string to_yaml(const PhotoSet& set, const PhotoRecipe& recipe) {
  return fmt::format(
             "# Written by `bninception new`: {} classes of pictures, {} x {} pixels at the median.\n"
             "base: photos/inception_{}.yaml  # comes with bninception: all that is not said here\n"
             "model: {{classes: {}}}\n"
             "data:\n",
             set.classes.size(), set.survey.median_width, set.survey.median_height, recipe.image_size,
             set.classes.size()) +
         data_lines(set) + (recipe.cache == Cache::kShrunk ? "  cache: shrunk  # decoded once, at the start\n" : "") +
         fmt::format(
             "train:\n"
             "  batch: {}\n"
             "  epochs: {}  # of {} steps; more may help, at a cost in proportion\n"
             "  learning_rate: {{initial: {}, decay_epochs: {}}}\n"
             "  evaluate_every: {}  # steps; a checkpoint each time\n",
             recipe.batch, recipe.epochs, recipe.steps_per_epoch, recipe.learning_rate, recipe.decay_epochs,
             recipe.evaluate_every);
}

}  // namespace bn
