#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <filesystem>
#include <map>
#include <memory>

#include "bn/config.hpp"
#include "bn/dataset.hpp"
#include "bn/error.hpp"
#include "command_line/command_line.hpp"
#include "commands/commands.hpp"
#include "config/yaml_node.hpp"
#include "data/class_list.hpp"
#include "data/survey.hpp"
#include "system/files.hpp"
#include "system/terminal.hpp"
#include "system/text.hpp"
#include "system/usable_cores.hpp"

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

// In small letters. Where there are several folders for validation, the first of these counts.
constexpr std::array<const char*, 2> kTrainingNames{"train", "training"};
constexpr std::array<const char*, 5> kValidationNames{"val", "valid", "validation", "test", "testing"};

template <size_t N>
size_t place_in(const std::array<const char*, N>& names, const std::string& name) {
  return static_cast<size_t>(std::ranges::find(names, lower_case(name)) - names.begin());
}
bool names_training(const std::string& name) { return place_in(kTrainingNames, name) < kTrainingNames.size(); }
bool names_validation(const std::string& name) { return place_in(kValidationNames, name) < kValidationNames.size(); }

std::vector<std::string> folders_in(const fs::path& folder) {
  std::vector<std::string> names;
  for (const fs::directory_entry& entry : read_folder(folder.string()).entries) {
    std::string name = entry.path().filename().string();
    if (kind_of(entry) == EntryKind::kFolder && !is_hidden_name(name)) names.push_back(std::move(name));
  }
  return names;
}

bool holds_folder(const fs::path& folder) { return !folders_in(folder).empty(); }

std::string quoted_list(const std::vector<std::string>& names) { return fmt::format("'{}'", fmt::join(names, "', '")); }

// The folders of a folder, by their names. One that is called as a set is, and holds no folders, is a class.
struct Parts {
  std::vector<std::string> training{}, validation{}, others{};
};

Parts parts_of(const std::string& root) {
  Parts parts;
  for (const std::string& name : folders_in(root)) {
    const bool is_set = (names_training(name) || names_validation(name)) && holds_folder(fs::path(root) / name);
    (!is_set ? parts.others : names_training(name) ? parts.training : parts.validation).push_back(name);
  }
  std::ranges::stable_sort(parts.validation, [](const std::string& a, const std::string& b) {
    return place_in(kValidationNames, a) < place_in(kValidationNames, b);
  });
  return parts;
}

void refuse_ambiguous(const std::string& place, const Parts& parts) {
  if (parts.training.empty()) {
    throw DataError(
        fmt::format("{} has the folder {} with folders in it, as a set of validation images has, but no such folder "
                    "'train'; call that one so, or name the folder that holds the classes",
                    place, quoted_list(parts.validation)));
  }
  if (parts.training.size() > 1) {
    throw DataError(fmt::format("{} has the folders {}, and each may hold the training images; keep one of them there",
                                place, quoted_list(parts.training)));
  }
  if (parts.validation.empty() && !parts.others.empty()) {
    throw DataError(
        fmt::format("{} has the folder {} with folders in it, as a set of training images has, and beside it {}; if "
                    "it is the set, name {}, and if it is a class, put its images right into it",
                    place, quoted_list(parts.training), quoted_list(parts.others),
                    (fs::path(place) / parts.training.front()).string()));
  }
}

// Takes the folders for training and validation in `root`, or `root` itself, and remarks what was taken as what.
void take_folders(const std::string& root, PhotoSet& set) {
  Parts parts = parts_of(root);
  set.data.train = {root};
  if (parts.training.empty() && parts.validation.empty()) return;
  refuse_ambiguous(set.place, parts);
  set.data.train = {(fs::path(root) / parts.training.front()).string()};
  std::string taken = fmt::format("'{}' holds the images to train on", parts.training.front());
  if (!parts.validation.empty()) {
    set.data.validation = {(fs::path(root) / parts.validation.front()).string()};
    taken += fmt::format(", '{}' those to validate", parts.validation.front());
    parts.validation.erase(parts.validation.begin());
  }
  parts.others.insert(parts.others.begin(), parts.validation.begin(), parts.validation.end());
  set.remarks.push_back(parts.others.empty() ? taken : taken + "; left out: " + quoted_list(parts.others));
}

void find_data(PhotoSet& set) {
  std::error_code error;
  if (!fs::exists(set.place, error)) throw DataError(fmt::format("there is no file or folder '{}'", set.place));
  const std::string root = fs::canonical(set.place).string();
  if (fs::is_directory(root, error)) {
    set.data.kind = DatasetKind::kFolder;
    take_folders(root, set);
  } else {
    set.data.kind = DatasetKind::kTar;
    set.data.train = {root};
  }
  if (set.data.validation.empty()) set.data.split.validation = kValidationShare;
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
  const bool are_parts = are_names_of_sets(classes);
  if (are_parts && set.data.kind == DatasetKind::kTar) {
    throw DataError(fmt::format("{} holds {} images below '{}' and '{}'; unpack it and name the folder", set.place,
                                images.size(), classes[0], classes[1]));
  }
  if (are_parts) {
    throw DataError(
        fmt::format("{} holds {} images right in '{}' and '{}'; in each of these, every class needs a folder",
                    set.place, images.size(), classes[0], classes[1]));
  }
}

std::string some_of(const std::vector<std::string>& names) {
  const auto end = names.begin() + static_cast<std::ptrdiff_t>(std::min(names.size(), kMostNames));
  return fmt::format("{}{}", fmt::join(names.begin(), end, ", "), names.size() > kMostNames ? ", ..." : "");
}

// Unicode has two forms of an accented letter: one character, as most systems write, or the letter and a mark that
// follows it, as macOS writes names of files. They look the same. Which accent it is, is not looked at: that would take
// Unicode's tables, and two names that differ in it alone are worth a remark, too, if one of them has marks.
struct AccentFolded {
  std::string text{};  // in small letters, each accented letter as '?'
  bool has_marks = false;
};

AccentFolded fold_accents(const std::string& name) {
  AccentFolded folded;
  for (size_t i = 0; i < name.size(); ++i) {
    const auto byte = [&](size_t at) { return static_cast<unsigned char>(at < name.size() ? name[at] : 0); };
    const bool is_mark = byte(i) == 0xCC || (byte(i) == 0xCD && byte(i + 1) < 0xB0);          // U+0300 to U+036F
    const bool is_latin = byte(i) >= 0xC3 && byte(i) <= 0xC9;                                 // U+00C0 to U+024F
    const bool is_vietnamese = byte(i) == 0xE1 && byte(i + 1) >= 0xB8 && byte(i + 1) < 0xBC;  // U+1E00 to U+1EFF
    if (is_mark && !folded.text.empty()) folded.text.pop_back();
    folded.text += is_mark || is_latin || is_vietnamese ? '?' : name[i];
    folded.has_marks = folded.has_marks || is_mark;
    i += is_vietnamese ? 2 : is_mark || is_latin ? 1 : 0;
  }
  folded.text = lower_case(folded.text);
  return folded;
}

void remark_on_alike_names(PhotoSet& set) {
  std::map<std::string, std::string> seen;  // the name as it is, by its folded text
  for (const std::string& name : set.classes) {
    const AccentFolded folded = fold_accents(name);
    const auto [other, is_new] = seen.emplace(folded.text, name);
    if (is_new) continue;
    if (folded.has_marks != fold_accents(other->second).has_marks) {
      set.remarks.push_back(
          fmt::format("'{}' and '{}' are two classes, whose accents are stored differently; rename one folder if they "
                      "mean the same",
                      other->second, name));
    } else if (lower_case(name) == lower_case(other->second)) {
      set.remarks.push_back(fmt::format("'{}' and '{}' are two classes; put their images together if they mean one",
                                        other->second, name));
    }
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
// class folders. Throws DataError where no network could be trained on it, or where its folders may be meant in two
// ways.
PhotoSet look_at_photos(const std::string& path) {
  PhotoSet set{.place = path};
  find_data(set);
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
  expect_open_output();
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
                   "train and val (training; valid, validation, test, testing), these are the two sets")
      ->required();
  command->add_option("--out", arguments->out, "YAML file to write [NAME-OF-IMAGES.yaml]");
  command->footer(
      "Nothing is copied: data.split of the file keeps a fifth of each class for validation, chosen by what the files\n"
      "hold, so it stays the same when files are moved or renamed, and copies of a file never are on both sides.");
  command->callback([arguments, &exit_code] { exit_code = run_new(*arguments); });
}

}  // namespace bn
