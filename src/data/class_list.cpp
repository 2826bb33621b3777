#include "data/class_list.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <sstream>
#include <string_view>

#include "bn/error.hpp"
#include "data/packed_index.hpp"
#include "system/files.hpp"
#include "system/text.hpp"

namespace bn {
namespace {

void limit_classes(std::vector<std::string>& names, int64_t limit, const std::string& origin) {
  if (limit == 0) return;
  if (limit > static_cast<int64_t>(names.size())) {
    throw DataError(fmt::format("classes_limit is {}, but {} has only {} classes", limit, origin, names.size()));
  }
  names.resize(static_cast<size_t>(limit));
}

constexpr const char* kBlanks = " \t\r";

std::vector<std::string> lines_in(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text.starts_with("\xEF\xBB\xBF") ? text.substr(3) : text);  // a byte order mark
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

void sort_unique(std::vector<std::string>& names) {
  std::ranges::sort(names);
  names.erase(std::unique(names.begin(), names.end()), names.end());
}

void check_same_classes(const std::vector<std::string>& training, const std::vector<std::string>& validation) {
  if (training == validation) return;
  const auto [left, right] = std::mismatch(training.begin(), training.end(), validation.begin(), validation.end());
  const bool only_in_training = right == validation.end() || (left != training.end() && *left < *right);
  throw DataError(fmt::format(
      "the training and validation sets have different classes: '{}' is only in the {} set; correct the paths, or name "
      "a classes file that lists those to use",
      only_in_training ? *left : *right, only_in_training ? "training" : "validation"));
}

// A set without a list must have no other classes; a list may have chosen among them.
ClassList trained_classes(const std::vector<std::string>& names, const std::string& list,
                          const std::vector<std::string>& found) {
  ClassList classes(names, "the classes that the network was trained on");
  const auto is_unknown = [&](const std::string& name) { return classes.find(name) < 0; };
  const auto unknown = std::ranges::find_if(found, is_unknown);
  if (list.empty() && unknown != found.end()) {
    throw DataError(
        fmt::format("class '{}' is none of the {} that the network was trained on", *unknown, names.size()));
  }
  return classes;
}

// The folders of "./set/x/../ant/1.jpg" are set and ant.
std::vector<std::string> folders_of(const std::string& path) {
  std::vector<std::string> folders;
  for (size_t begin = 0, end = 0; (end = path.find('/', begin)) != std::string::npos; begin = end + 1) {
    const std::string name = path.substr(begin, end - begin);
    if (name == ".." && !folders.empty() && folders.back() != "..") {
      folders.pop_back();
    } else if (!name.empty() && name != ".") {
      folders.push_back(name);
    }
  }
  return folders;
}

}  // namespace

ClassList::ClassList(std::vector<std::string> names, std::string origin)
    : names_(std::move(names)), origin_(std::move(origin)) {
  for (const auto& name : names_) {
    if (!is_utf8(name) || name.find('\n') != std::string::npos) {
      throw DataError(
          fmt::format("class '{}' in {}: its name is no line of UTF-8, so other programs cannot read it from a "
                      "checkpoint; give it another name",
                      name, origin_));
    }
    if (!indices_.emplace(name, static_cast<int32_t>(indices_.size())).second) {
      throw DataError(fmt::format("class '{}' appears twice in {}", name, origin_));
    }
  }
}

int32_t ClassList::find(const std::string& name) const {
  const auto found = indices_.find(name);
  return found == indices_.end() ? -1 : found->second;
}

void ClassList::check_none_empty(const std::vector<int32_t>& labels, const std::string& source) const {
  std::vector<bool> seen(names_.size());
  for (const int32_t label : labels) seen[static_cast<size_t>(label)] = true;
  const auto empty = std::ranges::find(seen, false);
  if (empty == seen.end()) return;
  const auto index = static_cast<size_t>(empty - seen.begin());
  throw DataError(
      fmt::format("class '{}' (number {} of {}) has no image in {}", names_[index], index + 1, origin_, source));
}

ClassList read_class_file(const std::string& path, int64_t limit, const std::vector<std::string>& found) {
  // It is read more than once, and a pipe that nobody writes to would be waited for.
  std::error_code error;
  if (std::filesystem::exists(path, error) && !std::filesystem::is_regular_file(path, error)) {
    throw DataError(fmt::format("the classes file {} is no regular file: write the names into one", path));
  }
  std::string text;
  if (read_file(path, text) == ReadResult::kMissing) {
    throw DataError(fmt::format("cannot open the classes file {}", path));
  }
  std::vector<std::string> names;
  for (const std::string& line : lines_in(text)) {
    std::string word;
    if (!(std::istringstream(line) >> word)) continue;
    const size_t begin = line.find_first_not_of(kBlanks), end = line.find_last_not_of(kBlanks) + 1;
    const std::string whole = line.substr(begin, end - begin);  // "golden retriever", where there is such a folder
    names.push_back(std::ranges::find(found, whole) == found.end() ? word : whole);
  }
  const std::string origin = "the classes file " + path;
  if (names.empty()) throw DataError(fmt::format("{} names no class; it needs one a line", origin));
  limit_classes(names, limit, origin);
  return ClassList(std::move(names), origin);
}

std::optional<ClassList> listed_classes(const DataOptions& options, int64_t limit) {
  if (!options.trained_classes.empty()) return ClassList(options.trained_classes, "the run's classes");
  if (!options.classes.empty()) return read_class_file(resolve_data_path(options.classes), limit);
  return {};
}

void add_unlisted(const std::map<std::string, int64_t>& images_by_class, LeftOut& left_out) {
  for (const auto& [name, count] : images_by_class) {
    left_out.add(fmt::format("{} ({} images of a class that is not listed)", name, count));
  }
}

std::vector<std::string> class_words(const DataOptions& options, const std::vector<std::string>& names) {
  std::string path;
  if (!options.classes.empty()) {
    path = resolve_data_path(options.classes);
  } else if (options.kind == DatasetKind::kPacked) {
    path = classes_path(resolve_data_path(options.train.at(0)));
  }
  std::map<std::string, std::string> words;
  std::string text;
  if (!path.empty()) read_file(path, text);
  for (const std::string& line : lines_in(text)) {
    const size_t end = line.find_last_not_of(" \t\r") + 1, begin = std::min(line.find_first_not_of(" \t"), end);
    const size_t name_end = std::min(line.find_first_of(" \t", begin), end);
    const size_t rest = std::min(line.find_first_not_of(" \t", name_end), end);
    if (std::ranges::find(names, line.substr(begin, end - begin)) != names.end()) continue;
    if (rest < end) words[line.substr(begin, name_end - begin)] = line.substr(rest, end - rest);
  }
  if (words.empty()) return {};
  std::vector<std::string> result;
  for (const std::string& name : names) result.push_back(words[name]);
  return result;
}

ClassList choose_classes(const DataOptions& options, Split split, std::vector<std::string> found,
                         const std::function<std::vector<std::string>()>& training_names) {
  if (!options.trained_classes.empty()) return trained_classes(options.trained_classes, options.classes, found);
  if (!options.classes.empty()) {
    return read_class_file(resolve_data_path(options.classes), options.classes_limit, found);
  }
  sort_unique(found);
  if (split == Split::kValidation && !options.train.empty()) {
    auto training = training_names();
    sort_unique(training);
    check_same_classes(training, found);
  }
  const std::string origin = "the list of class folders found";
  limit_classes(found, options.classes_limit, origin);
  return ClassList(std::move(found), origin);
}

void ClassFolders::add(const std::string& path) {
  const std::vector<std::string> folders = folders_of(path);
  if (is_empty_) common_ = folders;
  is_empty_ = false;
  longest_ = std::max(longest_, folders.size());
  const auto end = std::mismatch(common_.begin(), common_.end(), folders.begin(), folders.end()).first;
  common_.erase(end, common_.end());
}

void ClassFolders::prefer(const ClassList& classes) {
  const auto is_class = [&](const std::string& name) { return classes.find(name) >= 0; };
  const auto first = std::ranges::find_if(common_, is_class);
  if (first != common_.end()) preferred_ = static_cast<size_t>(first - common_.begin());
}

std::string ClassFolders::of(const std::string& path) const {
  const std::vector<std::string> folders = folders_of(path);
  if (is_one_folder() && common_.empty()) return "";
  const size_t depth = preferred_.value_or(is_one_folder() ? common_.size() - 1 : common_.size());
  if (folders.size() <= depth) return "";
  const auto below = folders.begin() + static_cast<std::ptrdiff_t>(depth) + 1;
  return std::any_of(below, folders.end(), is_thumbnails_name) ? "" : folders[depth];
}

void expect_plain_classes(const std::vector<ClassFolders>& archives, const std::vector<std::string>& names) {
  for (const ClassFolders& one : archives) {
    if (!one.is_one_folder() || one.common().empty()) continue;
    for (const ClassFolders& other : archives) {
      if (other.is_one_folder() || other.common().size() != one.common().size()) continue;
      throw DataError(fmt::format(
          "all images of one archive are of the class '{}', so '{}', in which all images of another lie, may "
          "be a class with folders or a folder of classes: name the classes in a file (data.classes)",
          one.common().back(), other.common().back()));
    }
  }
  const bool is_one_class = archives.size() > 1 && names.size() == 1 && archives.front().is_one_folder();
  const auto is_elsewhere = [&](const ClassFolders& other) { return other.common() != archives.front().common(); };
  if (!is_one_class || std::ranges::none_of(archives, is_elsewhere)) return;
  throw DataError(
      fmt::format("the images of {} archives all lie in folders called '{}', so they would be of one class: name the "
                  "classes in a file (data.classes)",
                  archives.size(), names.front()));
}

bool are_names_of_sets(const std::vector<std::string>& names) {
  static constexpr std::array<std::string_view, 7> kSets{"train",      "training", "val",    "valid",
                                                         "validation", "test",     "testing"};
  const auto is_set = [](const std::string& name) { return std::ranges::find(kSets, lower_case(name)) != kSets.end(); };
  return names.size() > 1 && std::ranges::all_of(names, is_set);
}

bool is_hidden_name(const std::string& name) {
  static constexpr std::array<std::string_view, 7> kAside{
      "@eadir", "__macosx", "#recycle", "@recycle", "recycler", "$recycle.bin", "system volume information"};
  if (name.starts_with('.')) return name != "." && name != "..";
  return std::ranges::find(kAside, lower_case(name)) != kAside.end();
}

bool is_thumbnails_name(const std::string& name) { return lower_case(name) == "thumbnails"; }

bool has_image_name(const std::string& path) {
  static constexpr std::array<std::string_view, 9> kExtensions{"jpg", "jpeg", "png", "bmp", "webp",
                                                               "ppm", "pgm",  "tif", "tiff"};
  for (size_t begin = 0, end = 0; end != std::string::npos; begin = end + 1) {
    end = path.find('/', begin);
    if (is_hidden_name(path.substr(begin, end - begin))) return false;
  }
  const std::string name = path.substr(path.rfind('/') + 1);
  const size_t dot = name.rfind('.');
  if (dot == std::string::npos) return false;
  const std::string extension = lower_case(name.substr(dot + 1));
  return std::ranges::find(kExtensions, extension) != kExtensions.end();
}

}  // namespace bn
