#include "commands/trained_model.hpp"

#include <fmt/format.h>

#include <filesystem>
#include <functional>

#include "bn/error.hpp"
#include "bn/models.hpp"
#include "bn/run_folder.hpp"

namespace bn {
namespace {

// Reads the checkpoint of a path. Training that goes on may take it away for a newer one, which is read then.
CheckpointInfo read_newest(const std::string& path, const std::string& which, std::string& checkpoint,
                           const std::function<CheckpointInfo(const std::string&)>& read) {
  for (int attempts = 10;; --attempts) {
    try {
      return read(checkpoint);
    } catch (const Error&) {
      if (attempts == 0 || checkpoint == path || std::filesystem::exists(checkpoint)) throw;
      checkpoint = find_checkpoint(path, which);
    }
  }
}

}  // namespace

TrainedModel read_model(const std::string& path, const std::string& which) {
  std::string checkpoint = find_checkpoint(path, which);
  const CheckpointInfo info = read_newest(path, which, checkpoint, read_checkpoint_info);
  Config config = parse_config(info.config, checkpoint);
  if (info.provenance) config.data.trained_classes = info.provenance->classes;
  Net net = build_network(config.model);
  const bool averaged = config.train.average == AverageKind::kPolyak;
  return {.checkpoint = checkpoint,
          .config = std::move(config),
          .net = std::move(net),
          .averaged = averaged,
          .info = info,
          .path = path,
          .which = which};
}

void load_parameters(TrainedModel& model, Backend& backend) {
  model.parameters = std::make_unique<Parameters>(model.net, backend, model.config.train.l2_scope, model.averaged);
  model.info = read_newest(model.path, model.which, model.checkpoint, [&](const std::string& checkpoint) {
    return load_checkpoint(checkpoint, *model.parameters);
  });
}

std::string trailing_averages(const TrainedModel& model) {
  const TrainOptions& train = model.config.train;
  if (model.net.state().empty() || train.statistics != StatisticsKind::kMovingAverage) return "";
  const int64_t needed = train.updates_until_settled(), updates = model.parameters->statistics_updates;
  if (updates == 0 || updates >= needed) return "";  // 0: another program estimated them
  return fmt::format(
      "warning: after {} steps, of {} that they need, the moving averages of {} trail behind its weights, so "
      "answers may be far off\n",
      updates, needed, model.checkpoint);
}

PlanOptions plan_options(const TrainedModel& model, Purpose purpose, int64_t batch) {
  return {.batch = batch,
          .purpose = purpose,
          .activations = model.config.precision,
          .weights = model.averaged ? WeightsCopy::kAverage : WeightsCopy::kCurrent,
          .passes = model.config.passes,
          .keep = {}};
}

}  // namespace bn
