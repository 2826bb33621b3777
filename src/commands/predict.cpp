#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <iostream>

#include "bn/dataset.hpp"
#include "bn/error.hpp"
#include "bn/evaluate.hpp"
#include "commands/answers.hpp"
#include "commands/commands.hpp"
#include "commands/config_arguments.hpp"
#include "commands/evaluation_progress.hpp"
#include "commands/signals.hpp"
#include "commands/trained_model.hpp"
#include "core/messages.hpp"
#include "cpu/bounded_spin.hpp"

namespace bn {
namespace {

struct PredictArguments {
  std::string run;
  std::vector<std::string> images;
  std::string which = "best", features, heat_maps;
  int64_t top = 5, crops = 1;
  bool json = false, csv = false;
};

// A photo need not have the size of a set that was made for the network, and lies as its camera was held.
DataOptions data_for_photos(DataOptions data) {
  const bool was_made = data.kind == DatasetKind::kMnist || data.kind == DatasetKind::kShapes;
  if (was_made || data.resize_shorter == 0) data.resize_shorter = data.image_size;
  data.exif_orientation = ExifOrientation::kApply;
  data.on_corrupt = OnCorrupt::kSkip;
  return data;
}

// Replaces "-" by the names on standard input, a line each.
std::vector<std::string> named_images(const std::vector<std::string>& arguments) {
  std::vector<std::string> paths;
  for (const std::string& argument : arguments) {
    if (argument != "-") {
      paths.push_back(argument);
      continue;
    }
    for (std::string line; std::getline(std::cin, line);) {
      if (!line.empty()) paths.push_back(line);
    }
  }
  if (paths.empty()) throw DataError("there is no file name on standard input; it needs one a line");
  return paths;
}

// evaluate's --csv takes a file, predict's does not.
void expect_no_file_for_answers(const PredictArguments& arguments) {
  for (const std::string& path : arguments.images) {
    const std::filesystem::path name(path);
    std::error_code error;
    if ((name.extension() != ".csv" && name.extension() != ".json") || std::filesystem::exists(name, error)) continue;
    throw DataError(fmt::format(
        "there is no file or folder '{}'; answers are printed: to write them to a file, add > {}", path, path));
  }
}

AnswerOptions answer_options(const PredictArguments& arguments) {
  if (!arguments.heat_maps.empty() && arguments.crops > 1) {
    throw ConfigError("--heatmap draws what one crop shows, so it needs --crops 1");
  }
  const bool is_csv = arguments.csv || (!arguments.features.empty() && !arguments.json);
  return {.form = arguments.json ? AnswerForm::kJson
                  : is_csv       ? AnswerForm::kCsv
                                 : AnswerForm::kText,
          .top = arguments.top,
          .crops = arguments.crops,
          .features = arguments.features,
          .heat_maps = arguments.heat_maps};
}

// So many images that the batches are alike and few places of the last are empty. Larger batches would be no faster,
// and the first answers would come later.
int64_t images_at_a_time(int64_t images, int64_t crops, const Config& config) {
  constexpr int64_t kMost = 16;
  const int64_t most = std::clamp<int64_t>(config.train.evaluate_batch / crops, 1, kMost);
  const int64_t batches = (images + most - 1) / most;
  return (images + batches - 1) / batches;
}

// Names the images that were not answered, with the reason; how many.
int64_t name_unanswered(const Answers& answers, const Dataset& images, const DataOptions& data,
                        const std::vector<std::string>& unreadable_folders) {
  for (const std::string& folder : unreadable_folders) tell(folder + "\n");
  int64_t count = 0;
  for (int64_t i = 0; i < images.size(); ++i) {
    if (answers.has(i)) continue;
    const std::string reason = reason_unreadable(images, i, data);
    if (reason.empty()) continue;
    tell(fmt::format("{}: {}\n", images.name(i), reason));
    ++count;
  }
  return count;
}

ExitCode run_predict(const PredictArguments& arguments) {
  const AnswerOptions options = answer_options(arguments);
  expect_no_file_for_answers(arguments);
  TrainedModel model = read_model(arguments.run, arguments.which);
  const DataOptions data = data_for_photos(model.config.data);
  std::vector<std::string> closed;  // folders that cannot be read
  const std::unique_ptr<Dataset> images =
      open_unlabelled_images(named_images(arguments.images), data.trained_classes, closed);
  if (data.trained_classes.empty()) {
    tell(model.checkpoint + " holds no class names, so classes are numbers\n");
  }
  if (const LeftOut left_out = images->left_out(); left_out.count > 0) {
    tell(fmt::format("left out, as no images by their names: {}\n", left_out.list()));
  }
  Answers answers(options, model, *images, data);
  const std::unique_ptr<Backend> backend = make_backend(model.config);
  load_parameters(model, *backend);
  tell(trailing_averages(model));
  PlanOptions of_plan = plan_options(model, Purpose::kEvaluateFolded,
                                     arguments.crops * images_at_a_time(images->size(), arguments.crops, model.config));
  of_plan.keep = answers.kept();
  model.plan = compile(model.net, *model.parameters, *backend, of_plan);
  answers.begin(*backend);
  const CropSet crops = arguments.crops == 144  ? CropSet::kGoogLeNet
                        : arguments.crops == 10 ? CropSet::kTen
                                                : CropSet::kSingle;
  const std::vector<EnsembleMember> members{{.plan = &*model.plan, .normalization = normalization_of(data)}};
  EvaluationWatch watch{.stop = stop_on_signals_within_a_second(), .likeliest = arguments.top};
  try {
    EvaluationProgress progress;
    if (isatty(STDOUT_FILENO) == 0) {  // else the answers themselves show it
      watch.progress = [&](int64_t scored, int64_t all) { progress.show(scored, all); };
    }
    const auto answer = [&](const Prediction& prediction) { answers.print(prediction); };
    evaluate_ensemble(members, *backend, *images, data, crops, answer, watch);
  } catch (const DataError&) {  // thrown for a set in which nothing can be read
    if (name_unanswered(answers, *images, data, closed) < images->size()) throw;
    return ExitCode::kData;
  }
  tell(answers.legend());
  const bool all_answered = name_unanswered(answers, *images, data, closed) == 0 && closed.empty();
  return all_answered ? ExitCode::kSuccess : ExitCode::kData;
}

}  // namespace

void add_predict_command(CLI::App& app, ExitCode& exit_code) {
  auto arguments = std::make_shared<PredictArguments>();
  CLI::App* command = app.add_subcommand("predict", "The likeliest classes of images, by a run or checkpoint");
  command->add_option("run", arguments->run, "Run folder or .safetensors checkpoint")->required();
  command
      ->add_option("images", arguments->images,
                   "Image files, and folders of them; - reads names from standard input, a line each")
      ->required();
  command->add_option("--top", arguments->top, "Classes to name, the likeliest first; all where there are fewer")
      ->check(CLI::Range(1, 16'384))
      ->capture_default_str();
  command->add_option("--crops", arguments->crops, "Crops of each image: 1, 10 or GoogLeNet's 144")
      ->check(CLI::IsMember({1, 10, 144}))
      ->capture_default_str();
  command->add_option("--checkpoint", arguments->which, "Of a run folder: best or last")
      ->check(CLI::IsMember({"best", "last"}))
      ->capture_default_str();
  CLI::Option* json = command->add_flag("--json", arguments->json, "Print a JSON object for each image, a line each");
  command->add_flag("--csv", arguments->csv, "Print a table with a line for each image")->excludes(json);
  command->add_option("--features", arguments->features,
                      "Print the output of this row of the network, averaged over positions, as CSV or with --json");
  command->add_option("--heatmap", arguments->heat_maps,
                      "Folder for a picture of each image that shows where its likeliest class is seen");
  command->footer(
      "An image or folder that cannot be read is named with the reason; the other images are still answered, and the\n"
      "exit code is 4.\n"
      "Images are named as they were given, those in a folder by the folder as it was given and the path below it.\n"
      "Images are decoded, resized and cropped as in the run's validation, so the answers are those of evaluate "
      "--csv.\n"
      "A heat map has a value for each position that the classifier averages: 7x7 of an Inception at 224x224 pixels, "
      "2x2 at 64x64.\n"
      "Red speaks most for the likeliest class, then yellow, green and blue; each picture has its own scale.");
  command->callback([arguments, &exit_code] {
    cpu::bound_spinning();
    exit_code = run_predict(*arguments);
  });
}

}  // namespace bn
