// Images named one by one: files and folders of them, and sets chosen or labelled by a text file.
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <optional>
#include <set>
#include <sstream>

#include "bn/dataset.hpp"
#include "bn/error.hpp"
#include "data/class_list.hpp"
#include "data/folder_walk.hpp"
#include "data/placed_images.hpp"
#include "data/split.hpp"
#include "system/files.hpp"
#include "system/text.hpp"

namespace bn {
namespace {

namespace fs = std::filesystem;

struct Line {
  int64_t number = 0;
  std::string text{};  // without blanks around it
  std::vector<std::string> words{};
};

constexpr const char* kBlanks = " \t\r\v\f";

std::string trimmed(const std::string& text) {
  const size_t begin = std::min(text.find_first_not_of(kBlanks), text.size());
  return text.substr(begin, text.find_last_not_of(kBlanks) + 1 - begin);
}

std::vector<Line> read_lines(const std::string& path) {
  std::string text;
  if (read_file(path, text) == ReadResult::kMissing) throw DataError(fmt::format("cannot open {}: no such file", path));
  std::vector<Line> lines;
  std::istringstream stream(text);
  int64_t number = 0;
  for (std::string line; std::getline(stream, line);) {
    if (number == 0 && line.starts_with("\xEF\xBB\xBF")) line.erase(0, 3);  // a byte order mark
    Line& next = lines.emplace_back(Line{.number = ++number, .text = trimmed(line)});
    std::istringstream rest(line);
    for (std::string word; rest >> word;) next.words.push_back(word);
    if (next.words.empty()) lines.pop_back();
  }
  return lines;
}

void add_path(const std::string& path, PlacedImages& images, FolderWalk& walk) {
  if (is_folder(path)) {
    const std::string folder = path.ends_with('/') ? path : path + "/";
    images.begin_files(folder);
    for (const std::string& image : walk.images_below(path)) images.add(image.substr(folder.size()), -1);
    return;
  }
  const size_t tar = images.open_tar(path);
  for (const TarMember& member : list_tar(images.tar(tar), &images.omitted)) {
    if (has_image_name(member.path)) {
      images.add(tar, member, member.path, -1);
    } else {
      images.omitted.add(fs::path(path).filename().string() + ":" + member.path);
    }
  }
}

// Holds what a line of labels says. A name may have blanks in it, so the longest known one counts.
using Places = std::map<std::string, int64_t>;
struct Label {
  Places::const_iterator place;
  std::string name{}, index{};
  std::string more{};  // what follows them, such as the name of the class
};
Label label_of(const Line& line, const Places& by_name) {
  const std::string& text = line.text;
  for (size_t end = text.find_last_of(kBlanks); end != std::string::npos; end = text.find_last_of(kBlanks, end - 1)) {
    const auto place = by_name.find(trimmed(text.substr(0, end)));
    if (place == by_name.end()) continue;
    const std::string rest = trimmed(text.substr(end)), index = rest.substr(0, rest.find_first_of(kBlanks));
    return {.place = place, .name = place->first, .index = index, .more = trimmed(rest.substr(index.size()))};
  }
  const std::string& last = line.words.back();
  const bool ends_in_number = line.words.size() > 1 && number_in<int64_t>(last);
  const std::string name = ends_in_number ? trimmed(text.substr(0, text.size() - last.size())) : line.words.front();
  const std::string second = line.words.size() > 1 ? line.words[1] : "";
  return {.place = by_name.end(), .name = name, .index = ends_in_number ? last : second};
}

void read_labels(const std::string& labels, PlacedImages& images) {
  Places by_name;
  for (int64_t i = 0; i < images.size(); ++i) {
    const std::string file = images.file_name(i);
    if (by_name.emplace(file, i).second) continue;
    throw DataError(fmt::format("two images are called {}, so {} cannot tell them apart", file, labels));
  }
  int32_t highest = 0;
  for (const Line& line : read_lines(labels)) {
    const Label found = label_of(line, by_name);
    const std::optional<int64_t> value = number_in<int64_t>(found.index);
    if (!value || *value < 0 || *value > 1'000'000) {
      throw DataError(
          fmt::format("{}:{}: expected the name of an image and the index of its class", labels, line.number));
    }
    if (number_in<int64_t>(found.more.substr(0, found.more.find_first_of(kBlanks)))) {
      throw DataError(fmt::format("{}:{}: two numbers follow the name {}: leave the index of its class alone", labels,
                                  line.number, found.name));
    }
    if (found.place == by_name.end()) {
      throw DataError(fmt::format("{}:{}: there is no image {}", labels, line.number, found.name));
    }
    int32_t& label = images.labels[static_cast<size_t>(found.place->second)];
    if (label >= 0) {
      throw DataError(fmt::format("{}:{}: {} has a label already", labels, line.number, found.name));
    }
    label = static_cast<int32_t>(*value);
    highest = std::max(highest, label);
  }
  for (int64_t i = 0; i < images.size(); ++i) {
    if (images.label(i) < 0) throw DataError(fmt::format("{} has no label in {}", images.name(i), labels));
  }
  for (int32_t i = 0; i <= highest; ++i) images.classes.push_back(std::to_string(i));
}

}  // namespace

std::unique_ptr<Dataset> open_labelled_images(const std::vector<std::string>& paths, const std::string& labels) {
  auto images = std::make_unique<PlacedImages>();
  FolderWalk walk(images->omitted);
  for (const std::string& path : paths) add_path(resolve_data_path(path), *images, walk);
  if (images->size() == 0) throw DataError(fmt::format("no images found in {}", fmt::join(paths, ", ")));
  read_labels(labels, *images);
  return images;
}

// A file is taken whatever its name; in a folder, names tell images from other files.
std::unique_ptr<Dataset> open_unlabelled_images(const std::vector<std::string>& paths,
                                                const std::vector<std::string>& classes,
                                                std::vector<std::string>& unreadable) {
  auto images = std::make_unique<PlacedImages>();
  images->classes = classes;
  images->begin_files("");
  FolderWalk walk(images->omitted, &unreadable);
  for (const std::string& path : paths) {
    std::error_code error;  // where a folder above it may not be looked into, reading it tells so
    const fs::file_type type = fs::status(path, error).type();
    if (type == fs::file_type::not_found) {
      unreadable.push_back(fmt::format("there is no file or folder '{}'", path));
      continue;
    }
    const bool is_folder = type == fs::file_type::directory;
    if (is_folder && !walk.is_new(path)) continue;
    for (const std::string& file : is_folder ? walk.images_below(path) : std::vector{path}) images->add(file, 0);
  }
  if (images->size() > 0) return images;
  if (!unreadable.empty()) throw DataError(fmt::format("{}", fmt::join(unreadable, "; ")));
  throw DataError(fmt::format("no images found in {}; image files are, by their names, {}{}", fmt::join(paths, ", "),
                              kImageKinds, images->omitted.count > 0 ? "; there are " + images->omitted.list() : ""));
}

std::unique_ptr<Dataset> exclude_images(std::unique_ptr<Dataset> images, const std::string& list) {
  std::multimap<std::string, int64_t> by_name;  // the whole, that in the set, the file, and that without its extension
  for (int64_t i = 0; i < images->size(); ++i) {
    const std::string file = images->file_name(i), stem = fs::path(file).stem().string();
    for (const std::string& key : std::set{images->name(i), images->name_in_set(i), file, stem}) {
      by_name.emplace(key, i);
    }
  }
  std::vector<bool> excluded(static_cast<size_t>(images->size()), false);
  for (const Line& line : read_lines(list)) {
    std::string name = line.text;
    const std::optional<int64_t> number = number_in<int64_t>(name);
    if (by_name.count(name) == 0 && number && *number >= 0) name = fmt::format("ILSVRC2012_val_{:08}", *number);
    const auto [first, last] = by_name.equal_range(name);
    if (first == last) throw DataError(fmt::format("{}:{}: there is no image {} to exclude", list, line.number, name));
    if (std::next(first) != last) {
      throw DataError(fmt::format("{}:{}: several images are called {}", list, line.number, name));
    }
    excluded[static_cast<size_t>(first->second)] = true;
  }
  std::vector<int64_t> kept;
  for (int64_t i = 0; i < images->size(); ++i) {
    if (!excluded[static_cast<size_t>(i)]) kept.push_back(i);
  }
  if (kept.empty()) throw DataError(fmt::format("{} excludes every image", list));
  return select_images(std::move(images), std::move(kept));
}

}  // namespace bn
