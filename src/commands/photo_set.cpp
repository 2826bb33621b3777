#include "commands/photo_set.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <map>
#include <memory>

#include "bn/dataset.hpp"
#include "bn/error.hpp"
#include "core/lower_case.hpp"
#include "core/usable_cores.hpp"

namespace bn {
namespace {

namespace fs = std::filesystem;

constexpr double kValidationShare = 0.2;
constexpr size_t kMostNames = 5;

constexpr std::array<const char*, 2> kTrainingNames{"train", "training"};
constexpr std::array<const char*, 4> kValidationNames{"val", "valid", "validation", "test"};

template <size_t N>
bool is_one_of(const std::array<const char*, N>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
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
  const bool are_parts = std::all_of(classes.begin(), classes.end(), [](const std::string& name) {
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

void count_images(PhotoSet& set, const Dataset& images) {
  set.counts.resize(set.classes.size());
  for (int64_t i = 0; i < images.size(); ++i) ++set.counts[static_cast<size_t>(images.label(i))];
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
  const auto [least, most] = std::minmax_element(set.counts.begin(), set.counts.end());
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

}  // namespace

PhotoSet look_at_photos(const std::string& path) {
  PhotoSet set{.place = path, .data = find_data(path)};
  {
    DataOptions whole = set.data;
    whole.split = {};
    const std::unique_ptr<Dataset> images = open_dataset(whole, Split::kTrain);
    set.classes = images->class_names();
    count_images(set, *images);
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

}  // namespace bn
