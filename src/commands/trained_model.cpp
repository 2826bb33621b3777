#include "commands/trained_model.hpp"

#include <fmt/format.h>

#include <filesystem>
#include <functional>

#include "bn/error.hpp"
#include "bn/models.hpp"
#include "bn/pictures.hpp"
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
  if (checkpoint != path) expect_named_step(checkpoint, info);  // else the file was meant, whatever its name
  Config config = parse_config(info.config, checkpoint);
  if (info.provenance) config.data.trained_classes = info.provenance->classes;
  Net net = build_network(config.model);
  const bool averages = config.train.average == AverageKind::kPolyak;
  return {.checkpoint = checkpoint,
          .config = std::move(config),
          .net = std::move(net),
          .weights = averages ? WeightsCopy::kAverage : WeightsCopy::kCurrent,
          .info = info,
          .path = path,
          .which = which};
}

void load_parameters(TrainedModel& model, Backend& backend) {
  model.parameters = std::make_unique<Parameters>(model.net, backend, model.config.train.l2_scope,
                                                  model.weights == WeightsCopy::kAverage);
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

int64_t photo_shorter_side(const DataOptions& data) {
  const bool was_made = data.kind == DatasetKind::kMnist || data.kind == DatasetKind::kShapes;
  return was_made || data.resize_shorter == 0 ? data.image_size : data.resize_shorter;
}

PlanOptions plan_options(const TrainedModel& model, Purpose purpose, int64_t batch) {
  return {.batch = batch,
          .purpose = purpose,
          .activations = model.config.precision,
          .weights = model.weights,
          .passes = model.config.passes,
          .keep = {}};
}

std::optional<std::string> picture_of_first_filters(const TrainedModel& model) {
  for (const Node& node : model.net.nodes()) {
    if (!std::holds_alternative<Conv2d>(node.spec) || !(node.inputs.at(0) == model.net.images())) continue;
    const Tensor weights = model.parameters->value(node.parameters.at(0), model.weights);
    Filters filters{.count = weights.shape.n, .side = weights.shape.h, .channels = weights.shape.c};
    if (filters.channels != 1 && filters.channels != 3) return std::nullopt;
    filters.weights.resize(static_cast<size_t>(weights.shape.elements()));
    model.parameters->backend().download(filters.weights.data(), weights.data, weights.bytes());
    return picture_of(filters);
  }
  return std::nullopt;
}

void add_checkpoint_option(CLI::App& command, std::string& which) {
  command.add_option("--checkpoint", which, "Of a run folder: best or last")
      ->check(CLI::IsMember({"best", "last"}))
      ->capture_default_str();
}

void add_crops_option(CLI::App& command, int64_t& crops) {
  command.add_option("--crops", crops, "Crops of each image: 1, 10 or GoogLeNet's 144")
      ->check(CLI::IsMember({1, 10, 144}))
      ->capture_default_str();
}

CropSet crop_set(int64_t crops) {
  return crops == 144 ? CropSet::kGoogLeNet : crops == 10 ? CropSet::kTen : CropSet::kSingle;
}

}  // namespace bn
