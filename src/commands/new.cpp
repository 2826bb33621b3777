#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <filesystem>
#include <map>
#include <memory>

#include "bn/config.hpp"
#include "bn/dataset.hpp"
#include "bn/error.hpp"
#include "command_line/command_line.hpp"
#include "commands/commands.hpp"
#include "config/yaml_node.hpp"
#include "core/files.hpp"
#include "core/lower_case.hpp"
#include "core/messages.hpp"
#include "core/usable_cores.hpp"
#include "data/survey.hpp"

namespace bn {
namespace {

namespace fs = std::filesystem;

struct NewArguments {
  std::string images, out;
};

// Pictures that a user has sorted into class folders.
struct PhotoSet {
  std::string place{};  // the name that the user gave
  DataOptions data{};   // kind, train, validation or split
  std::vector<std::string> classes{};
  std::vector<int64_t> counts{};  // images by class, of training and of a split's validation
  int64_t training = 0, validation = 0;
  std::string example{};  // the path of an image that is not trained on; "" where it is inside a tar
  Survey survey{};
  std::vector<std::string> remarks{};  // a sentence each, which the user is told
};

constexpr double kValidationShare = 0.2;
constexpr size_t kMostNames = 5;

constexpr std::array<const char*, 2> kTrainingNames{"train", "training"};
constexpr std::array<const char*, 4> kValidationNames{"val", "valid", "validation", "test"};

template <size_t N>
bool is_one_of(const std::array<const char*, N>& names, const std::string& name) {
  return std::ranges::find(names, name) != names.end();
}

template <size_t N>
std::string folder_named(const std::string& root, const std::array<const char*, N>& names) {
  std::error_code error;
  for (const char* name : names) {
    if (const fs::path path = fs::path(root) / name; fs::is_directory(path, error)) return path.string();
  }
  return "";
}

DataOptions find_data(const std::string& path) {
  std::error_code error;
  if (!fs::exists(path, error)) throw DataError(fmt::format("there is no file or folder '{}'", path));
  std::string root = fs::canonical(path).string();
  DataOptions data{.kind = DatasetKind::kFolder};
  if (!fs::is_directory(root, error)) {
    data.kind = DatasetKind::kTar;
  } else if (const std::string training = folder_named(root, kTrainingNames); !training.empty()) {
    const std::string validation = folder_named(root, kValidationNames);
    if (!validation.empty()) data.validation = {validation};
    root = training;
  }
  data.train = {root};
  if (data.validation.empty()) data.split.validation = kValidationShare;
  return data;
}

bool holds_folder(const fs::path& folder) {
  std::error_code error;
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error)) {
    if (entry->is_directory(error)) return true;
  }
  return false;
}

void check_classes(const PhotoSet& set, const Dataset& images) {
  constexpr size_t kMostClasses = 16'384;  // model.classes allows no more
  const std::vector<std::string>& classes = set.classes;
  if (classes.size() < 2) {
    const fs::path inner = fs::path(set.data.train.at(0)) / classes.at(0);
    throw DataError(fmt::format("{} has one class, '{}'; a network needs two or more, each a folder of its own{}",
                                set.place, classes.at(0),
                                holds_folder(inner) ? fmt::format("; did you mean '{}'?", inner.string()) : ""));
  }
  if (classes.size() > kMostClasses) {
    throw DataError(
        fmt::format("{} has {} classes; at most {} can be told apart", set.place, classes.size(), kMostClasses));
  }
  const bool are_parts = std::ranges::all_of(classes, [](const std::string& name) {
    return is_one_of(kTrainingNames, name) || is_one_of(kValidationNames, name);
  });
  if (are_parts && set.data.kind == DatasetKind::kTar) {
    throw DataError(fmt::format("{} holds {} images below '{}' and '{}'; unpack it and name the folder", set.place,
                                images.size(), classes[0], classes[1]));
  }
}

std::string some_of(const std::vector<std::string>& names) {
  const auto end = names.begin() + static_cast<std::ptrdiff_t>(std::min(names.size(), kMostNames));
  return fmt::format("{}{}", fmt::join(names.begin(), end, ", "), names.size() > kMostNames ? ", ..." : "");
}

void remark_on_alike_names(PhotoSet& set) {
  std::map<std::string, std::string> seen;  // the name as it is, by its small letters
  for (const std::string& name : set.classes) {
    const auto [other, is_new] = seen.emplace(lower_case(name), name);
    if (is_new) continue;
    set.remarks.push_back(
        fmt::format("'{}' and '{}' are two classes; put their images together if they mean one", other->second, name));
  }
}

void remark_on_classes(PhotoSet& set) {
  std::vector<std::string> single;
  for (size_t i = 0; i < set.counts.size(); ++i) {
    if (set.counts[i] == 1) single.push_back(set.classes[i]);
  }
  if (!single.empty() && set.data.split.validation > 0) {
    set.remarks.push_back(fmt::format(
        "{} a single image, which is trained on, so nothing tells whether the class is learned: {}",
        single.size() == 1 ? "1 class has" : fmt::format("{} classes have", single.size()), some_of(single)));
  }
  remark_on_alike_names(set);
  constexpr int64_t kFew = 10;
  std::vector<int64_t> counts = set.counts;
  const auto median = counts.begin() + static_cast<std::ptrdiff_t>(counts.size() / 2);
  std::nth_element(counts.begin(), median, counts.end());
  if (*median < kFew) {
    set.remarks.push_back(fmt::format("half of the classes have at most {}, too few to learn much from",
                                      *median == 1 ? "1 image" : fmt::format("{} images", *median)));
  }
  constexpr int64_t kUnequal = 10;
  const auto [least, most] = std::ranges::minmax_element(set.counts);
  if (*most >= kUnequal * *least) {
    set.remarks.push_back(
        fmt::format("'{}' has {} images and '{}' has {}: the network will answer with large classes too often",
                    set.classes[static_cast<size_t>(most - set.counts.begin())], *most,
                    set.classes[static_cast<size_t>(least - set.counts.begin())], *least));
  }
}

void remark_on_files(PhotoSet& set, const LeftOut& left_out) {
  if (left_out.count > 0) {
    set.remarks.push_back(fmt::format("left out, as no images of the set: {}", left_out.list()));
  }
  if (!set.survey.unreadable.empty()) {
    const auto unreadable = static_cast<int64_t>(set.survey.unreadable.size());
    set.remarks.push_back(fmt::format("{} of the {} images looked at cannot be decoded, and training leaves {} out: {}",
                                      unreadable, unreadable + set.survey.measured, unreadable == 1 ? "it" : "them",
                                      some_of(set.survey.unreadable)));
  }
}

// `path` is a folder of class folders, one with such folders for training and for validation in it, or a tar file of
// class folders. Throws DataError where no network could be trained on it.
PhotoSet look_at_photos(const std::string& path) {
  PhotoSet set{.place = path, .data = find_data(path)};
  {
    DataOptions whole = set.data;
    whole.split = {};
    const std::unique_ptr<Dataset> images = open_dataset(whole, Split::kTrain);
    set.classes = images->class_names();
    set.counts.resize(set.classes.size());
    for (int64_t i = 0; i < images->size(); ++i) ++set.counts[static_cast<size_t>(images->label(i))];
    check_classes(set, *images);
    constexpr int64_t kMeasured = 300;
    set.survey = survey_images(*images, kMeasured, usable_cores().count);
    if (set.survey.measured == 0) {
      throw DataError(fmt::format("no image of {} can be decoded; the first: {}", path, set.survey.unreadable.at(0)));
    }
    remark_on_classes(set);
    remark_on_files(set, images->left_out());
  }
  set.training = open_dataset(set.data, Split::kTrain)->size();
  const std::unique_ptr<Dataset> validation = open_dataset(set.data, Split::kValidation);
  set.validation = validation->size();
  if (set.data.kind == DatasetKind::kFolder) set.example = validation->name(0);
  return set;
}

std::string file_to_write(const NewArguments& arguments) {
  std::string out = arguments.out;
  if (out.empty()) {
    fs::path place(arguments.images);
    if (!place.has_filename()) place = place.parent_path();  // "photos/"
    std::error_code error;
    out = fs::canonical(place, error).stem().string() + ".yaml";
  }
  if (std::error_code error; fs::exists(fs::symlink_status(out, error))) {
    throw ConfigError(fmt::format("{} is there already; name another file with --out, or remove it", out));
  }
  return out;
}

std::string describe(const PhotoSet& set) {
  const auto [least, most] = std::ranges::minmax_element(set.counts);
  const std::string counts = *least == *most ? fmt::to_string(*least) : fmt::format("{} to {}", *least, *most);
  std::string text = fmt::format("{}: {} classes of {} images, {} x {} pixels at the median\n", set.place,
                                 set.classes.size(), counts, set.survey.median_width, set.survey.median_height);
  text += fmt::format("{} images to train on, {} to validate{}\n", set.training, set.validation,
                      set.data.split.validation > 0 ? ", chosen by their contents" : "");
  for (const std::string& remark : set.remarks) text += "note: " + remark + "\n";
  return text;
}

struct PhotoRecipe {
  int64_t image_size = 64;
  int64_t batch = 32, steps_per_epoch = 1, epochs = 60;
  int64_t evaluate_every = 1;  // steps
  Cache cache = Cache::kNone;
  double learning_rate = 0.05;
  double decay_epochs = 6;
};

// Depends on the number of training images and on the size of the pictures alone. The rules are few: the paper's
// network wants tens of thousands of pictures of its size. A smaller set is seen more often, and a tiny one in smaller
// batches at a rate in proportion, so that there are some hundred steps.
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

ExitCode run_new(const NewArguments& arguments) {
  const PhotoSet set = look_at_photos(arguments.images);
  const std::string out = file_to_write(arguments);
  const PhotoRecipe recipe = choose_recipe(set.training, set.survey.median_shorter);
  write_file(out, to_yaml(set, recipe));
  load_config(out);  // throws unless the file can be trained
  const std::string program = shell_word(program_invocation_name);
  const std::string run = "runs/" + fs::path(out).stem().string();
  print(
      fmt::format("{0}wrote {1}: Inception at {2}x{2} pixels, {3} steps in {4} epochs. Next:\n"
                  "  {5} train {6} --out {7}\n"
                  "  {5} predict {7} {8}\n",
                  describe(set), out, recipe.image_size, recipe.epochs * recipe.steps_per_epoch, recipe.epochs, program,
                  shell_word(out), shell_word(run), set.example.empty() ? "PHOTO.jpg" : shell_word(set.example)));
  return ExitCode::kSuccess;
}

}  // namespace

void add_new_command(CLI::App& app, ExitCode& exit_code) {
  auto arguments = std::make_shared<NewArguments>();
  CLI::App* command = app.add_subcommand("new", "Write the YAML file that trains on images of one's own");
  command
      ->add_option("images", arguments->images,
                   "Folder with a folder of images for each class, or a tar file of such folders; where a folder holds "
                   "train and val (valid, validation, test), these are the two sets")
      ->required();
  command->add_option("--out", arguments->out, "YAML file to write [NAME-OF-IMAGES.yaml]");
  command->footer(
      "Nothing is copied: data.split of the file keeps a fifth of each class for validation, chosen by what the files\n"
      "hold, so it stays the same when files are moved or renamed, and copies of a file never are on both sides.");
  command->callback([arguments, &exit_code] { exit_code = run_new(*arguments); });
}

}  // namespace bn
