#include "bn/evaluate.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "bn/error.hpp"
#include "bn/run_folder.hpp"
#include "bn/train_options.hpp"
#include "commands/commands.hpp"
#include "commands/evaluation_report.hpp"
#include "commands/trained_model.hpp"
#include "cpu/bounded_spin.hpp"
#include "data/class_list.hpp"
#include "system/files.hpp"
#include "system/terminal.hpp"
#include "system/text.hpp"

namespace bn {
namespace {

struct EvaluateArguments {
  std::vector<std::string> paths;
  std::vector<std::string> data;
  std::string labels, exclude, csv, page;
  std::string which = "best", device, statistics;
  int64_t crops = 1;
  bool unfolded = false;
  ReportStyle style;
};

// The N in "population(N)" or "population:N"; nullopt for "" and "moving".
std::optional<int64_t> population_batches(const std::string& text) {
  constexpr std::string_view kWord = "population";
  if (text.empty() || text == "moving") return std::nullopt;
  std::string number = text.starts_with(kWord) ? text.substr(kWord.size()) : "";
  if (number.starts_with('(') && number.ends_with(')')) number = number.substr(1, number.size() - 2);
  if (number.starts_with(':')) number.erase(0, 1);
  const std::optional<int64_t> batches = number_in<int64_t>(number);
  if (!batches || *batches < 1) {
    throw ConfigError(
        fmt::format("--statistics: got '{}', expected moving or population(N), N batches such as 100", text));
  }
  return batches;
}

std::vector<TrainedModel> read_models(const EvaluateArguments& arguments) {
  std::vector<TrainedModel> models;
  for (const std::string& path : arguments.paths) {
    TrainedModel& model = models.emplace_back(read_model(path, arguments.which));
    if (!arguments.data.empty()) {
      model.config.data.validation = arguments.data;
      model.config.data.split = {};
    }
    if (arguments.device == "cpu") model.config.device = Device::kCpu;
    if (arguments.device == "cuda") model.config.device = Device::kCuda;
    if (arguments.labels.empty()) check(model.config);  // labelled images are in no class folders
  }
  return models;
}

// Two class files with the same content may lie at two places.
bool have_same_class_file(const DataOptions& a, const DataOptions& b) {
  if (a.classes.empty() || b.classes.empty()) return false;
  try {
    const auto names = [](const DataOptions& data) {
      return read_class_file(resolve_data_path(data.classes), data.classes_limit).names();
    };
    return names(a) == names(b);
  } catch (const DataError&) {
    return false;  // a file that cannot be read is judged by its name
  }
}

std::vector<std::string> differences_in(const std::vector<std::string>& keys, const Config& a, const Config& b) {
  std::vector<std::string> differences = diff(a, b);
  std::erase_if(differences, [&](const std::string& difference) {
    return std::ranges::none_of(keys, [&](const std::string& key) { return difference.starts_with(key); });
  });
  return differences;
}

// Differences in the keys that decide which images and classes are scored, where the command line has not decided them.
std::vector<std::string> differences_of_sets(const Config& a, const Config& b, const EvaluateArguments& arguments) {
  std::vector<std::string> keys;
  const bool has_recorded = !a.data.trained_classes.empty() && !b.data.trained_classes.empty();  // compared already
  if (!has_recorded && !have_same_class_file(a.data, b.data)) keys = {"data.classes:", "data.classes_limit:"};
  if (arguments.data.empty()) {
    keys.insert(keys.end(), {"data.kind:", "data.validation:", "data.split."});
    if (a.data.split.validation > 0) keys.emplace_back("data.train:");
    if (a.data.kind == DatasetKind::kShapes) {
      keys.insert(keys.end(), {"data.shapes.image_size:", "data.shapes.validation_images:", "data.shapes.seed:"});
    }
  }
  return differences_in(keys, a, b);
}

// An ensemble sees one set of images, and its probabilities belong to one list of classes.
void check_same_set(const TrainedModel& first, const TrainedModel& model, const EvaluateArguments& arguments) {
  const std::vector<std::string> differences = differences_of_sets(first.config, model.config, arguments);
  if (differences.empty()) return;
  const bool other_paths = std::ranges::any_of(
      differences, [](const std::string& difference) { return difference.starts_with("data.validation:"); });
  throw ConfigError(
      fmt::format("an ensemble needs networks of one list of classes and one set of images, but {} and {} differ: {}{}",
                  first.checkpoint, model.checkpoint, fmt::join(differences, ", "),
                  other_paths ? "; --data names the images for all of them" : ""));
}

// If the user named a set and no list of classes, the set must have the classes of each network's own training set.
void check_trained_classes(const TrainedModel& first, const TrainedModel& model, const EvaluateArguments& arguments) {
  DataOptions data = model.config.data;
  data.cache = Cache::kNone;  // only its names are wanted
  const bool is_named = !arguments.data.empty() && arguments.labels.empty();
  if (!is_named || !data.classes.empty() || data.train == first.config.data.train) return;
  try {
    open_dataset(data, Split::kValidation);
  } catch (Error& error) {
    error.add_context(model.checkpoint);
    throw;
  }
}

// Each network would be given the same pixels of an image.
void check_same_input(const TrainedModel& first, const TrainedModel& model) {
  const std::vector<std::string> differences =
      differences_in({"data.image_size:", "data.image_channels:", "data.resize_shorter:", "data.binarize:",
                      "data.exif_orientation:", "data.decoder:"},
                     first.config, model.config);
  if (differences.empty()) return;
  throw ConfigError(fmt::format("an ensemble needs networks of the same input, but {} and {} differ: {}",
                                first.checkpoint, model.checkpoint, fmt::join(differences, ", ")));
}

void check_alike(const std::vector<TrainedModel>& models, const EvaluateArguments& arguments) {
  const TrainedModel& first = models.front();
  for (const TrainedModel& model : models) {
    if (model.net.classes() != first.net.classes()) {
      throw ConfigError(fmt::format("an ensemble needs networks of the same classes, but {} has {} and {} has {}",
                                    first.checkpoint, first.net.classes(), model.checkpoint, model.net.classes()));
    }
    check_same_input(first, model);
    const std::vector<std::string>& ours = first.config.data.trained_classes;
    const std::vector<std::string>& theirs = model.config.data.trained_classes;
    const auto other = first_difference(ours, theirs);
    if (other && !ours.empty() && ours.size() == theirs.size()) {
      throw ConfigError(
          fmt::format("an ensemble needs networks of one list of classes, but class {} is {} in {} and {} in {}",
                      other->index, other->left, first.checkpoint, other->right, model.checkpoint));
    }
    check_same_set(first, model, arguments);
    check_trained_classes(first, model, arguments);
  }
}

std::string statistics_of(const TrainedModel& model, const std::string& asked) {
  if (model.net.state().empty()) return "none";
  const TrainOptions& train = model.config.train;
  std::optional<int64_t> batches = population_batches(asked);
  if (asked.empty() && train.statistics == StatisticsKind::kPopulation) batches = train.statistics_batches;
  return batches ? fmt::format("population({})", *batches) : "moving";
}

void set_statistics(TrainedModel& model, Backend& backend, const std::string& statistics,
                    const std::function<bool()>& stop) {
  if (statistics.empty()) return;
  const std::optional<int64_t> batches = population_batches(statistics);
  if (model.net.state().empty()) {
    throw ConfigError(fmt::format("--statistics: {} has no batch normalisation", model.checkpoint));
  }
  const TrainOptions& train = model.config.train;
  if (!batches) {
    if (train.statistics == StatisticsKind::kMovingAverage) return;
    throw ConfigError(fmt::format(
        "--statistics: {} was trained with population statistics, and holds no moving averages", model.checkpoint));
  }
  Plan plan = compile(model.net, *model.parameters, backend, plan_options(model, Purpose::kStatistics, train.batch));
  const std::unique_ptr<Dataset> training_set = open_dataset(model.config.data, Split::kTrain);
  estimate_population(plan, *model.parameters, backend, *training_set, model.config.data, *batches, train.seed, stop);
}

void load(TrainedModel& model, Backend& backend, const EvaluateArguments& arguments, int64_t batch,
          const std::function<bool()>& stop) {
  load_parameters(model, backend);
  set_statistics(model, backend, arguments.statistics, stop);
  const Purpose purpose = arguments.unfolded ? Purpose::kEvaluate : Purpose::kEvaluateFolded;
  model.plan = compile(model.net, *model.parameters, backend, plan_options(model, purpose, batch));
}

// The whole set, of which some may be excluded then.
std::unique_ptr<Dataset> open_images(const EvaluateArguments& arguments, const DataOptions& data) {
  return arguments.labels.empty() ? open_dataset(data, Split::kValidation)
                                  : open_labelled_images(data.validation, arguments.labels);
}

// A network's outputs are numbers of the classes that it was trained on.
void expect_trained_classes(const Dataset& images, const std::vector<std::string>& trained) {
  const auto other = first_difference(trained, images.class_names());
  if (!other || trained.empty()) return;  // it has no names in a checkpoint of an earlier version
  throw DataError(fmt::format("class {} is {} in these images, but {} where the network was trained", other->index,
                              other->right, other->left));
}

// Whether the images are those that the network was validated on when it was trained; nullopt where nothing tells.
std::optional<bool> is_own_set(const TrainedModel& model, const DataRecord& images) {
  const std::optional<Provenance>& provenance = model.info.provenance;
  if (!provenance || provenance->validation.fingerprint.empty()) return std::nullopt;
  return is_same_data(provenance->validation, images);
}

void warn_of_another_set(const TrainedModel& model, int64_t images) {
  const int64_t before = model.info.provenance->validation.images;
  tell(fmt::format(
      "warning: {} was validated on {} other images when it was trained, so the two scores do not compare\n",
      model.checkpoint, before == images ? fmt::format("{}, as many,", before) : fmt::to_string(before)));
}

// Images that a split keeps for validation are new to the network only while the split is the one of the training.
void expect_same_split(const TrainedModel& model, const DataRecord& images) {
  const std::optional<Provenance>& provenance = model.info.provenance;
  if (!provenance || model.config.data.split.validation <= 0) return;
  if (provenance->validation.fingerprint.empty()) {
    tell(
        fmt::format("warning: {} does not say which images were kept for validation when it was trained, so it may "
                    "have been trained on some of these\n",
                    model.checkpoint));
    return;
  }
  if (is_same_data(provenance->validation, images)) return;
  throw DataError(
      fmt::format("{}: the images of data.train were changed, so the {} that are now kept for validation may hold some "
                  "that the network was trained on (then {} were kept): restore them, or name other images by --data",
                  model.checkpoint, images.images, provenance->validation.images));
}

// The training images need not be here: a path that leads nowhere is no other's.
bool is_same_place(const std::string& a, const std::string& b) {
  try {
    std::error_code error;
    return std::filesystem::equivalent(resolve_data_path(a), resolve_data_path(b), error);
  } catch (const DataError&) {
    return false;
  }
}

void warn_of_training_images(const DataOptions& data, const std::vector<std::string>& named) {
  for (const std::string& path : named) {
    const auto is_path = [&](const std::string& trained) { return is_same_place(path, trained); };
    if (std::ranges::none_of(data.train, is_path)) continue;
    tell(fmt::format("warning: the network was trained on images of {}, so this says little about new ones\n", path));
  }
}

// Each process loads everything, and scores its share of the batches.
class EvaluateCommand {
 public:
  EvaluateCommand(const EvaluateArguments& arguments, Group& group) : arguments_(arguments), group_(group) {
    report_.crops = arguments.crops;
  }

  void read() {
    if (group_.is_first()) expect_open_output();
    population_batches(arguments_.statistics);  // a mistake in it is found before anything is loaded
    if (!(arguments_.csv.empty() && arguments_.page.empty()) && !group_.is_alone()) {
      throw Error(ExitCode::kUsage,
                  "--csv and --page are written by a process alone: start evaluate without the launcher");
    }
    models_ = read_models(arguments_);
    check_alike(models_, arguments_);
    images_ = open_images(arguments_, config().data);
    const DataRecord record{.images = images_->size(), .fingerprint = fingerprint(*images_)};
    for (const TrainedModel& model : models_) expect_same_split(model, record);
    compare_with_training(record);
    exclude();
    if (group_.is_first()) warn_of_training_images(config().data, arguments_.data);
    const auto named = static_cast<int64_t>(images_->class_names().size());
    const int64_t classes = models_.front().net.classes();
    if (!arguments_.labels.empty() && named > classes) {
      throw DataError(fmt::format("{} names class {}, but the network has {} classes, which are numbered from 0",
                                  arguments_.labels, named - 1, classes));
    }
    if (arguments_.labels.empty()) expect_trained_classes(*images_, config().data.trained_classes);
  }

  void load_models() {
    backend_ = make_backend(config(), group_);
    report_.backend = backend_->name();
    const int64_t at_a_time = std::max<int64_t>(1, config().train.evaluate_batch / arguments_.crops);
    for (TrainedModel& model : models_) {
      load(model, *backend_, arguments_, at_a_time * arguments_.crops, stop_);
      if (arguments_.statistics.empty() && group_.is_first()) tell(trailing_averages(model));
      members_.push_back({.plan = &*model.plan, .normalization = normalization_of(model.config.data)});
      report_.members.push_back({.checkpoint = model.checkpoint,
                                 .step = model.info.progress.step,
                                 .statistics = statistics_of(model, arguments_.statistics),
                                 .are_own_images = are_own_images_[report_.members.size()]});
    }
  }

  void evaluate() {
    std::optional<PredictionFile> file;
    if (!arguments_.csv.empty()) file.emplace(arguments_.csv, *images_);
    std::optional<EvaluationPageMaker> page;
    if (!arguments_.page.empty()) page.emplace(arguments_.page, *images_, config().data);
    const auto write = [&](const Prediction& prediction) {
      if (file) file->write(prediction);
      if (page) page->add(prediction);
    };
    report_.result = evaluate_here(write);
    if (file) file->close();
    report_.class_names = images_->class_names();
    report_.left_out = images_->left_out();
    if (page) {
      page->write(report_, models_.front());
      tell(fmt::format("the page: {}/index.html\n", arguments_.page));
    }
    if (group_.is_first()) print_report(report_, arguments_.style);
  }

  Config& config() { return models_.front().config; }
  const Dataset& images() const { return *images_; }

 private:
  // A user who names the images knows that they are others.
  void compare_with_training(const DataRecord& images) {
    for (const TrainedModel& model : models_) {
      const std::optional<bool> is_own = is_own_set(model, images);
      are_own_images_.push_back(is_own);
      const bool is_named = !arguments_.data.empty() || !arguments_.labels.empty();
      if (is_own == false && !is_named && group_.is_first()) warn_of_another_set(model, images.images);
    }
  }

  void exclude() {
    if (arguments_.exclude.empty()) return;
    const int64_t all = images_->size();
    images_ = exclude_images(std::move(images_), arguments_.exclude);
    report_.excluded = all - images_->size();
  }

  EvaluationResult evaluate_here(const std::function<void(const Prediction&)>& sink) {
    EvaluationProgress progress;
    EvaluationWatch watch{.stop = stop_};
    if (group_.is_first()) watch.progress = [&](int64_t scored, int64_t all) { progress.show(scored, all); };
    return evaluate_ensemble(members_, *backend_, *images_, config().data, crop_set(arguments_.crops), sink, watch,
                             &group_);
  }

  const EvaluateArguments& arguments_;
  Group& group_;
  EvaluationReport report_;
  std::vector<TrainedModel> models_;
  std::vector<std::optional<bool>> are_own_images_;  // by model
  std::unique_ptr<Dataset> images_;
  std::unique_ptr<Backend> backend_;
  std::vector<EnsembleMember> members_;
  std::function<bool()> stop_ = stop_on_signals_within_a_second();
};

ExitCode run_evaluate(const EvaluateArguments& arguments, Group& group) {
  EvaluateCommand command(arguments, group);
  together(group, [&] { command.read(); });
  if (!group.is_alone()) {
    const Dataset& images = command.images();
    expect_agreement(group, {{.name = "the images to score",
                              .value = fmt::format("{} images with fingerprint {}", images.size(), fingerprint(images)),
                              .exit_code = ExitCode::kData}});
  }
  command.config().threads = shared_threads(group, command.config().threads);
  together(group, [&] { command.load_models(); });
  command.evaluate();
  return ExitCode::kSuccess;
}

}  // namespace

void add_evaluate_command(CLI::App& app, ExitCode& exit_code) {
  auto arguments = std::make_shared<EvaluateArguments>();
  CLI::App* command =
      app.add_subcommand("evaluate", "Validation accuracy of a run or checkpoint, or of several together");
  command
      ->add_option("runs", arguments->paths,
                   "Run folders or .safetensors checkpoints; of several, the mean of their probabilities is scored")
      ->required();
  add_crops_option(*command, arguments->crops);
  command->add_option("--statistics", arguments->statistics,
                      "Of batch normalisation: moving, or population(N), estimated anew over N training batches "
                      "(Algorithm 2) [as in the checkpoint]");
  command->add_option(
      "--data", arguments->data,
      "Validation data instead of the run's own: paths as in data.validation, relative ones below BN_DATA_ROOT");
  command->add_option("--labels", arguments->labels,
                      "File of lines NAME INDEX for images without class folders, as in the official archive");
  command->add_option("--exclude", arguments->exclude,
                      "File of images not to score, a line each: NAME, as --csv has it, or N for ILSVRC2012_val_N");
  command->add_option("--csv", arguments->csv,
                      "File for the prediction of each image; names are paths below the folder of the set");
  command->add_option("--page", arguments->page,
                      "Folder for a page: accuracy by class, confusions, the worst mistakes, the first filters");
  add_checkpoint_option(*command, arguments->which);
  command->add_option("--device", arguments->device, "cpu or cuda [as in training]")
      ->check(CLI::IsMember({"cpu", "cuda"}));
  command->add_flag("--unfolded", arguments->unfolded, "Do not fold batch normalisation into the weights");
  command->add_flag("--per-class", arguments->style.per_class, "Print each class's accuracy too");
  command->add_flag("--json", arguments->style.json, "Print one JSON object");
  command->footer(
      "Fails unless every image of the set was scored exactly once. Where data.on_corrupt of the run (the first of\n"
      "several) is skip or quarantine, an image that cannot be read is left out instead, counted and named as "
      "skipped.");
  command->callback([arguments, &exit_code] {
    cpu::bound_spinning();
    exit_code = run_in_group([&](Group& group) { return run_evaluate(*arguments, group); });
  });
}

}  // namespace bn
