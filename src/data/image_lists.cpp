// Images named one by one: files and folders of them, and sets chosen or labelled by a text file.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <map>
#include <sstream>

#include "bn/dataset.hpp"
#include "bn/error.hpp"
#include "data/class_list.hpp"
#include "data/folder_walk.hpp"
#include "data/placed_images.hpp"
#include "data/split.hpp"
#include "system/files.hpp"

namespace bn {
namespace {

namespace fs = std::filesystem;

struct Line {
  int64_t number = 0;
  std::vector<std::string> words{};
};

std::vector<Line> read_lines(const std::string& path) {
  std::string text;
  if (read_file(path, text) == ReadResult::kMissing) throw DataError(fmt::format("cannot open {}: no such file", path));
  std::vector<Line> lines;
  std::istringstream stream(text);
  int64_t number = 0;
  for (std::string line; std::getline(stream, line);) {
    if (number == 0 && line.starts_with("\xEF\xBB\xBF")) line.erase(0, 3);  // a byte order mark
    Line& next = lines.emplace_back(Line{.number = ++number});
    std::istringstream rest(line);
    for (std::string word; rest >> word;) next.words.push_back(word);
    if (next.words.empty()) lines.pop_back();
  }
  return lines;
}

bool read_number(const std::string& text, int64_t& value) {
  const char* end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, value);
  return error == std::errc{} && rest == end && value >= 0;
}

// Adds the images of a tar file or of a folder.
void add_path(const std::string& path, PlacedImages& images, FolderWalk& walk) {
  std::error_code error;
  if (fs::is_directory(path, error)) {
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

void read_labels(const std::string& labels, PlacedImages& images) {
  std::map<std::string, int64_t> by_name;
  for (int64_t i = 0; i < images.size(); ++i) {
    const std::string file = images.file_name(i);
    if (by_name.emplace(file, i).second) continue;
    throw DataError(fmt::format("two images are called {}, so {} cannot tell them apart", file, labels));
  }
  int32_t highest = 0;
  for (const Line& line : read_lines(labels)) {
    int64_t value = -1;
    if (line.words.size() < 2 || !read_number(line.words[1], value) || value > 1'000'000) {
      throw DataError(
          fmt::format("{}:{}: expected the name of an image and the index of its class", labels, line.number));
    }
    const auto place = by_name.find(line.words[0]);
    if (place == by_name.end()) {
      throw DataError(fmt::format("{}:{}: there is no image {}", labels, line.number, line.words[0]));
    }
    int32_t& label = images.labels[static_cast<size_t>(place->second)];
    if (label >= 0) {
      throw DataError(fmt::format("{}:{}: {} has a label already", labels, line.number, line.words[0]));
    }
    label = static_cast<int32_t>(value);
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
    int64_t number = -1;
    std::string name = line.words.front();
    if (by_name.count(name) == 0 && read_number(name, number)) name = fmt::format("ILSVRC2012_val_{:08}", number);
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
