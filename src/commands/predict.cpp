#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "bn/error.hpp"
#include "bn/evaluate.hpp"
#include "commands/commands.hpp"
#include "commands/evaluation_progress.hpp"
#include "commands/trained_model.hpp"
#include "core/messages.hpp"
#include "cpu/bounded_spin.hpp"

namespace bn {
namespace {

struct PredictArguments {
  std::string run;
  std::vector<std::string> images;
  std::string which = "best";
  int64_t top = 5, crops = 1;
  bool json = false;
};

// A photo need not have the size of a set that was made for the network.
DataOptions data_for_photos(DataOptions data) {
  const bool was_made = data.kind == DatasetKind::kMnist || data.kind == DatasetKind::kShapes;
  if (was_made || data.resize_shorter == 0) data.resize_shorter = data.image_size;
  data.on_corrupt = OnCorrupt::kSkip;
  return data;
}

std::string name_of_class(const std::vector<std::string>& names, int32_t index) {
  return static_cast<size_t>(index) < names.size() ? names[static_cast<size_t>(index)] : fmt::format("class {}", index);
}

void print(const Prediction& prediction, const Dataset& images, const PredictArguments& arguments) {
  const auto shown = std::min(prediction.classes.size(), static_cast<size_t>(arguments.top));
  const std::string name = images.name(prediction.image);
  nlohmann::ordered_json json{{"image", name}, {"classes", nlohmann::json::array()}};
  std::string text = name + ":";
  for (size_t i = 0; i < shown; ++i) {
    const std::string class_name = name_of_class(images.class_names(), prediction.classes[i]);
    text += fmt::format("{} {} {:.1f} %", i == 0 ? "" : ",", class_name, 100 * prediction.probabilities[i]);
    json["classes"].push_back({{"class", class_name}, {"probability", prediction.probabilities[i]}});
  }
  if (arguments.json) text = json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  std::printf("%s\n", text.c_str());
}

ExitCode run_predict(const PredictArguments& arguments) {
  TrainedModel model = read_model(arguments.run, arguments.which);
  const DataOptions data = data_for_photos(model.config.data);
  const std::unique_ptr<Dataset> images = open_image_files(arguments.images, data.trained_classes);
  const std::unique_ptr<Backend> backend = make_backend(model.config);
  load_parameters(model, *backend);
  const int64_t at_a_time = std::clamp<int64_t>(model.config.train.evaluate_batch / arguments.crops, 1, images->size());
  model.plan = compile(model.net, *model.parameters, *backend,
                       plan_options(model, Purpose::kEvaluateFolded, at_a_time * arguments.crops));
  const CropSet crops = arguments.crops == 144  ? CropSet::kGoogLeNet
                        : arguments.crops == 10 ? CropSet::kTen
                                                : CropSet::kSingle;
  const std::vector<EnsembleMember> members{{.plan = &*model.plan, .normalization = normalization_of(data)}};
  EvaluationProgress progress;
  EvaluationWatch watch{.stop = stop_on_signals_within_a_second()};
  if (isatty(STDOUT_FILENO) == 0) {  // else the answers themselves show it
    watch.progress = [&](int64_t scored, int64_t all) { progress.show(scored, all); };
  }
  const EvaluationResult result = evaluate_ensemble(
      members, *backend, *images, data, crops,
      [&](const Prediction& prediction) { print(prediction, *images, arguments); }, watch);
  for (const std::string& name : result.skipped_names) tell(fmt::format("{}: cannot be read as an image\n", name));
  return result.skipped == 0 ? ExitCode::kSuccess : ExitCode::kData;
}

}  // namespace

void add_predict_command(CLI::App& app, ExitCode& exit_code) {
  auto arguments = std::make_shared<PredictArguments>();
  CLI::App* command = app.add_subcommand("predict", "The likeliest classes of images, by a run or checkpoint");
  command->add_option("run", arguments->run, "Run folder or .safetensors checkpoint")->required();
  command->add_option("images", arguments->images, "Image files, and folders of them")->required();
  command->add_option("--top", arguments->top, "Classes to name, the likeliest first")
      ->check(CLI::Range(1, 5))
      ->capture_default_str();
  command->add_option("--crops", arguments->crops, "Crops of each image: 1, 10 or GoogLeNet's 144")
      ->check(CLI::IsMember({1, 10, 144}))
      ->capture_default_str();
  command->add_option("--checkpoint", arguments->which, "Of a run folder: best or last")
      ->check(CLI::IsMember({"best", "last"}))
      ->capture_default_str();
  command->add_flag("--json", arguments->json, "Print a JSON object for each image, a line each");
  command->footer("An image that cannot be read is named; the others are still answered, and the exit code is 4.");
  command->callback([arguments, &exit_code] {
    cpu::bound_spinning();
    exit_code = run_predict(*arguments);
  });
}

}  // namespace bn
