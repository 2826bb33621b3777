#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <functional>
#include <iostream>
#include <nlohmann/json.hpp>
#include <optional>

#include "bn/activations.hpp"
#include "bn/dataset.hpp"
#include "bn/error.hpp"
#include "bn/evaluate.hpp"
#include "bn/pictures.hpp"
#include "commands/commands.hpp"
#include "commands/evaluation_report.hpp"
#include "commands/trained_model.hpp"
#include "cpu/bounded_spin.hpp"
#include "system/files.hpp"
#include "system/outputs.hpp"
#include "system/terminal.hpp"
#include "system/text.hpp"

namespace bn {
namespace {

struct PredictArguments {
  std::string run;
  std::vector<std::string> images;
  std::string which = "best", features, heat_maps;
  int64_t top = 5, crops = 1;
  bool json = false, csv = false;

  bool is_csv() const { return !json && (csv || !features.empty()); }
};

// A photo need not have the size of a set that was made for the network, and lies as its camera was held.
DataOptions data_for_photos(DataOptions data) {
  data.resize_shorter = photo_shorter_side(data);
  data.exif_orientation = ExifOrientation::kApply;
  data.on_corrupt = OnCorrupt::kSkip;
  return data;
}

// Replaces "-" by the names on standard input, a line each, as any system ends it.
std::vector<std::string> named_images(const std::vector<std::string>& arguments) {
  std::vector<std::string> paths;
  for (const std::string& argument : arguments) {
    if (argument != "-") {
      paths.push_back(argument);
      continue;
    }
    bool is_first = true;
    for (std::string line; std::getline(std::cin, line); is_first = false) {
      if (is_first && line.starts_with("\xEF\xBB\xBF")) line.erase(0, 3);  // a byte order mark
      if (line.ends_with('\r')) line.pop_back();
      if (!line.empty()) paths.push_back(line);
    }
    if (std::ferror(stdin) != 0) throw StorageError("cannot read the file names on standard input to their end");
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

// So many images that the batches are alike and few places of the last are empty. Larger batches would be no faster,
// and the first answers would come later.
int64_t images_at_a_time(int64_t images, int64_t crops, const Config& config) {
  constexpr int64_t kMost = 16;
  const int64_t most = std::clamp<int64_t>(config.train.evaluate_batch / crops, 1, kMost);
  const int64_t batches = (images + most - 1) / most;
  return (images + batches - 1) / batches;
}

class Answers {
 public:
  // Throws ConfigError for features or heat maps that the network does not have and for a heat map that would replace
  // another file, StorageError for a folder that cannot be made. The model has no plan and no parameters yet.
  Answers(const PredictArguments& arguments, const TrainedModel& model, const Dataset& images, const DataOptions& data)
      : arguments_(arguments),
        model_(model),
        images_(images),
        data_(data),
        is_answered_(static_cast<size_t>(images.size())) {
    if (!arguments_.features.empty()) features_op_ = output_op_of_row(model.net, arguments_.features);
    if (arguments_.heat_maps.empty()) return;
    activation_.emplace(model.net);
    std::vector<std::string> photos;
    for (int64_t i = 0; i < images.size(); ++i) photos.push_back(images.name(i));
    expect_apart("--heatmap", arguments_.heat_maps, photos);
    for (const std::string& photo : photos) expect_own_picture("--heatmap", path_of_picture(photo, 1));
    create_folder(arguments_.heat_maps);
  }

  // The ops whose outputs the model's plan has to keep.
  std::vector<std::string> kept() const {
    std::vector<std::string> ops;
    if (!features_op_.empty()) ops.push_back(features_op_);
    if (activation_) ops.push_back(activation_->features());
    return ops;
  }

  // Prints what comes before all lines. The model has its plan and its parameters now.
  void begin(Backend& backend) {
    backend_ = &backend;
    if (activation_) activation_->read_weights(*model_.parameters, model_.plan->options().weights);
    if (!arguments_.is_csv()) return;
    std::string heading = "image";
    if (!features_op_.empty()) {
      const int64_t features = model_.plan->output(features_op_).shape.c;
      for (int64_t i = 1; i <= features; ++i) heading += fmt::format(",feature{}", i);
    } else {
      for (int64_t i = 1; i <= std::min(arguments_.top, model_.net.classes()); ++i) {
        heading += fmt::format(",class{0},probability{0}", i);
      }
    }
    bn::print(heading + "\n");
  }

  void print(const Prediction& prediction) {
    is_answered_[static_cast<size_t>(prediction.image)] = true;
    const std::string picture = activation_ ? draw(prediction) : "";
    bn::print((arguments_.json       ? json_of(prediction, picture)
               : arguments_.is_csv() ? csv_of(prediction)
                                     : text_of(prediction, picture)) +
              "\n");
    if (std::ferror(stdout) != 0) throw StorageError("cannot write standard output");  // `head` has ended, say
  }

  // Where the heat maps lie, and what their colours mean; "" where none was drawn.
  std::string legend() const {
    if (pictures_.empty()) return "";
    return fmt::format(
        "heat maps in {}: red speaks most for the likeliest class, then yellow, green and blue; what keeps its own "
        "colours does not speak for it, or lies outside of the square that the network sees\n",
        arguments_.heat_maps);
  }

  bool has(int64_t image) const { return is_answered_[static_cast<size_t>(image)]; }

 private:
  std::string class_name(int32_t index) const { return bn::class_name(images_.class_names(), index); }
  std::string class_words(int32_t index) const {
    if (!model_.info.provenance) return "";
    const std::vector<std::string>& words = model_.info.provenance->class_words;
    return static_cast<size_t>(index) < words.size() ? words[static_cast<size_t>(index)] : "";
  }

  std::string text_of(const Prediction& prediction, const std::string& picture) const {
    std::string text = images_.name(prediction.image) + ":";
    for (size_t i = 0; i < shown(prediction); ++i) {
      const std::string words = class_words(prediction.classes[i]);
      text += fmt::format("{} {}{} {:.1f} %", i == 0 ? "" : ",", class_name(prediction.classes[i]),
                          words.empty() ? "" : " (" + words.substr(0, words.find(',')) + ")",
                          100 * prediction.probabilities[i]);
    }
    return picture.empty() ? text : text + " -> " + picture;
  }

  std::string json_of(const Prediction& prediction, const std::string& picture) const {
    using Json = nlohmann::ordered_json;
    Json json{{"image", images_.name(prediction.image)}, {"classes", Json::array()}};
    for (size_t i = 0; i < shown(prediction); ++i) {
      Json one{{"class", class_name(prediction.classes[i])}, {"probability", prediction.probabilities[i]}};
      if (const std::string words = class_words(prediction.classes[i]); !words.empty()) one["words"] = words;
      json["classes"].push_back(std::move(one));
    }
    if (!features_op_.empty()) json["features"] = features_of(prediction);
    if (!picture.empty()) json["heatmap"] = picture;
    return json_text(json);
  }

  std::string csv_of(const Prediction& prediction) const {
    std::string line = csv_field(images_.name(prediction.image));
    if (!features_op_.empty()) {
      for (const float value : features_of(prediction)) line += fmt::format(",{:.6g}", value);
      return line;
    }
    for (size_t i = 0; i < shown(prediction); ++i) {
      line += fmt::format(",{},{:.6g}", csv_field(class_name(prediction.classes[i])), prediction.probabilities[i]);
    }
    return line;
  }

  // The mean over the positions of a map, and over the crops.
  std::vector<float> features_of(const Prediction& prediction) const {
    std::vector<float> means;
    for (int64_t crop = 0; crop < arguments_.crops; ++crop) {
      const std::vector<float> of_crop =
          mean_over_positions(output_of_image(*model_.plan, *backend_, features_op_, prediction.place + crop));
      means.resize(of_crop.size());
      for (size_t i = 0; i < means.size(); ++i) means[i] += of_crop[i] / static_cast<float>(arguments_.crops);
    }
    return means;
  }

  std::string path_of_picture(const std::string& photo, int number) const {
    return fmt::format("{}/{}{}.png", arguments_.heat_maps, std::filesystem::path(photo).stem().string(),
                       number == 1 ? "" : fmt::format("-{}", number));
  }

  // Draws where the likeliest class was seen. Images of one name in several folders get pictures of several names.
  std::string draw(const Prediction& prediction) {
    const ImageOutput output = output_of_image(*model_.plan, *backend_, activation_->features(), prediction.place);
    const ImageOutput map = activation_->map(output, prediction.classes.front());
    std::string path;
    for (int number = 1; path.empty() || std::ranges::find(pictures_, path) != pictures_.end(); ++number) {
      path = path_of_picture(images_.name(prediction.image), number);
    }
    expect_own_picture("--heatmap", path);
    pictures_.push_back(path);
    draw_heat_map(images_, prediction.image, data_, {.height = map.height, .width = map.width, .values = map.values},
                  path);
    return path;
  }

  size_t shown(const Prediction& prediction) const {
    return std::min(prediction.classes.size(), static_cast<size_t>(arguments_.top));
  }

  const PredictArguments& arguments_;
  const TrainedModel& model_;
  const Dataset& images_;
  const DataOptions data_;
  Backend* backend_ = nullptr;
  std::string features_op_;
  std::optional<ClassActivation> activation_;
  std::vector<std::string> pictures_;
  std::vector<bool> is_answered_;
};

// Names an answered image of which evaluation would see something else; "" where there is none.
std::string seen_otherwise(const Answers& answers, const Dataset& images,
                           const std::function<bool(int64_t)>& is_other) {
  for (int64_t i = 0; i < images.size(); ++i) {
    try {
      if (answers.has(i) && is_other(i)) return images.name(i);
    } catch (const DataError&) {  // it was there when it was answered
    }
  }
  return "";
}

std::string remarks_on_decoding(const Answers& answers, const Dataset& images, const DataOptions& of_run) {
  std::string remarks;
  if (of_run.exif_orientation == ExifOrientation::kIgnore) {
    const std::string turned = seen_otherwise(answers, images, [&](int64_t i) { return is_turned_by_exif(images, i); });
    if (!turned.empty()) {
      remarks += fmt::format(
          "photos were turned as their EXIF data say, such as {}; the run's validation does not turn them "
          "(data.exif_orientation: ignore), so evaluate may score them otherwise\n",
          turned);
    }
  }
  const bool was_made = of_run.kind == DatasetKind::kMnist || of_run.kind == DatasetKind::kShapes;  // and is resized
  if (!was_made && of_run.resize_shorter == 0) {
    const std::string resized = seen_otherwise(
        answers, images, [&](int64_t i) { return shorter_side(images, i, of_run) != of_run.image_size; });
    if (!resized.empty()) {
      remarks += fmt::format(
          "images were resized to {} pixels on the shorter side, such as {}; the run's validation cuts out the centre "
          "as it is (data.resize_shorter: 0), so evaluate may score them otherwise\n",
          of_run.image_size, resized);
    }
  }
  return remarks;
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
  expect_open_output();
  if (!arguments.heat_maps.empty() && arguments.crops > 1) {
    throw ConfigError("--heatmap draws what one crop shows, so it needs --crops 1");
  }
  expect_no_file_for_answers(arguments);
  EvaluationWatch watch{.stop = stop_on_signals_within_a_second(), .likeliest = arguments.top};
  TrainedModel model = read_model(arguments.run, arguments.which);
  const DataOptions data = data_for_photos(model.config.data);
  std::vector<std::string> closed;  // folders that cannot be read
  const std::unique_ptr<Dataset> images =
      open_unlabelled_images(named_images(arguments.images), data.trained_classes, closed);
  if (data.trained_classes.empty()) {
    tell(model.checkpoint + " holds no class names, so classes are numbers\n");
  }
  if (const LeftOut left_out = images->left_out(); left_out.count > 0) {
    tell(fmt::format("left out (not named like images, or read already): {}\n", left_out.list()));
  }
  Answers answers(arguments, model, *images, data);
  const std::unique_ptr<Backend> backend = make_backend(model.config);
  load_parameters(model, *backend);
  tell(trailing_averages(model));
  PlanOptions of_plan = plan_options(model, Purpose::kEvaluateFolded,
                                     arguments.crops * images_at_a_time(images->size(), arguments.crops, model.config));
  of_plan.keep = answers.kept();
  model.plan = compile(model.net, *model.parameters, *backend, of_plan);
  answers.begin(*backend);
  const std::vector<EnsembleMember> members{{.plan = &*model.plan, .normalization = normalization_of(data)}};
  try {
    EvaluationProgress progress;
    if (isatty(STDOUT_FILENO) == 0) {  // else the answers themselves show it
      watch.progress = [&](int64_t scored, int64_t all) { progress.show(scored, all); };
    }
    const auto answer = [&](const Prediction& prediction) { answers.print(prediction); };
    evaluate_ensemble(members, *backend, *images, data, crop_set(arguments.crops), answer, watch);
  } catch (const DataError&) {  // thrown for a set in which nothing can be read
    if (name_unanswered(answers, *images, data, closed) < images->size()) throw;
    return ExitCode::kData;
  }
  tell(answers.legend());
  tell(remarks_on_decoding(answers, *images, model.config.data));
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
  add_crops_option(*command, arguments->crops);
  add_checkpoint_option(*command, arguments->which);
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
      "--csv,\n"
      "with two exceptions, which are named when they occur: a photo is turned as its EXIF data say, also where\n"
      "data.exif_orientation is ignore; and its shorter side is resized to data.image_size where data.resize_shorter "
      "is 0.\n"
      "A heat map has a value for each position that the classifier averages: 7x7 of an Inception at 224x224 pixels, "
      "2x2 at 64x64.\n"
      "Red speaks most for the likeliest class, then yellow, green and blue; each picture has its own scale.");
  command->callback([arguments, &exit_code] {
    cpu::bound_spinning();
    exit_code = run_predict(*arguments);
  });
}

}  // namespace bn
