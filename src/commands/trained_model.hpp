// A network as a checkpoint holds it, for commands that compute with it.
#pragma once

#include <CLI/App.hpp>
#include <memory>
#include <optional>
#include <string>

#include "bn/checkpoint.hpp"
#include "bn/config.hpp"
#include "bn/crops.hpp"
#include "bn/net.hpp"
#include "bn/plan.hpp"

namespace bn {

struct TrainedModel {
  std::string checkpoint;
  Config config;  // data.trained_classes are those of the checkpoint
  Net net;
  WeightsCopy weights = WeightsCopy::kCurrent;  // the average where there is one
  std::unique_ptr<Parameters> parameters{};
  CheckpointInfo info{};
  std::optional<Plan> plan{};
  std::string path{}, which{};  // read_model()'s arguments
};

// The path's checkpoint, read but for its tensors: a .safetensors file, or of a run folder the "best" or the "last"
// one. Throws CheckpointError.
TrainedModel read_model(const std::string& path, const std::string& which);
void load_parameters(TrainedModel& model, Backend& backend);
// Returns a warning where the moving averages of a network that was trained shortly still trail behind its weights,
// else "". Call it after load_parameters().
std::string trailing_averages(const TrainedModel& model);
// To how many pixels a photo's shorter side is resized for the network, before its centre is cut out: a set that was
// made for the network need not say.
int64_t photo_shorter_side(const DataOptions& data);
PlanOptions plan_options(const TrainedModel& model, Purpose purpose, int64_t batch);

// The filters of the first convolution as a PNG file; nothing where the network does not begin with a dense convolution
// of grey or coloured images. Throws as picture_of().
std::optional<std::string> picture_of_first_filters(const TrainedModel& model);

// --checkpoint, of a run folder; --crops, and what they are.
void add_checkpoint_option(CLI::App& command, std::string& which);
void add_crops_option(CLI::App& command, int64_t& crops);
CropSet crop_set(int64_t crops);

}  // namespace bn
