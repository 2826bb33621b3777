#include "commands/trained_model.hpp"

#include "bn/models.hpp"
#include "bn/run_folder.hpp"

namespace bn {
TrainedModel read_model(const std::string& path, const std::string& which) {
  const std::string checkpoint = find_checkpoint(path, which);
  const CheckpointInfo info = read_checkpoint_info(checkpoint);
  Config config = parse_config(info.config, checkpoint);
  if (info.provenance) config.data.trained_classes = info.provenance->classes;
  Net net = build_network(config.model);
  const bool averaged = config.train.average == AverageKind::kPolyak;
  return {.checkpoint = checkpoint, .config = std::move(config), .net = std::move(net), .averaged = averaged};
}

void load_parameters(TrainedModel& model, Backend& backend) {
  model.parameters = std::make_unique<Parameters>(model.net, backend, model.config.train.l2_scope, model.averaged);
  model.info = load_checkpoint(model.checkpoint, *model.parameters);
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
