// A network as a checkpoint holds it, for commands that compute with it.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "bn/checkpoint.hpp"
#include "bn/config.hpp"
#include "bn/net.hpp"
#include "bn/plan.hpp"

namespace bn {

struct TrainedModel {
  std::string checkpoint;
  Config config;  // data.trained_classes are those of the checkpoint
  Net net;
  bool averaged = false;
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
PlanOptions plan_options(const TrainedModel& model, Purpose purpose, int64_t batch);

}  // namespace bn
