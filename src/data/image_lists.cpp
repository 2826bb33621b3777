// Sets chosen or labelled by a text file that names images.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <map>
#include <sstream>

#include "bn/dataset.hpp"
#include "bn/error.hpp"
#include "core/files.hpp"
#include "data/class_list.hpp"
#include "data/file_reader.hpp"
#include "data/folder_walk.hpp"
#include "data/selection.hpp"
#include "data/tar.hpp"

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

// "val.tar:val/n01443537/val_12.JPEG" -> "val_12.JPEG"
std::string file_of(const std::string& name) { return name.substr(name.find_last_of("/:") + 1); }
std::string stem_of(const std::string& name) { return fs::path(file_of(name)).stem().string(); }

// Images of tar files and folders, by the name of their file.
class LabelledImages final : public Dataset {
 public:
  LabelledImages(const std::vector<std::string>& paths, const std::string& labels) {
    for (const std::string& path : paths) add_path(resolve_data_path(path));
    if (places_.empty()) throw DataError(fmt::format("no images found in {}", fmt::join(paths, ", ")));
    read_labels(labels);
  }

  int64_t size() const override { return static_cast<int64_t>(places_.size()); }
  int32_t label(int64_t index) const override { return places_[static_cast<size_t>(index)].label; }
  std::string name(int64_t index) const override { return places_[static_cast<size_t>(index)].path; }
  std::string name_in_set(int64_t index) const override {
    const Place& place = places_[static_cast<size_t>(index)];
    return place.path.substr(place.folder);
  }
  const std::vector<std::string>& class_names() const override { return class_names_; }
  LeftOut left_out() const override { return left_out_; }

  Sample read(int64_t index, std::vector<uint8_t>& storage) const override {
    const Place& place = places_[static_cast<size_t>(index)];
    if (place.tar < 0) {
      read_whole_file(place.path, storage);
    } else {
      storage.resize(static_cast<size_t>(place.bytes));
      tars_[static_cast<size_t>(place.tar)].read(place.offset, place.bytes, storage.data());
    }
    return {.data = storage.data(), .bytes = static_cast<int64_t>(storage.size())};
  }

 private:
  struct Place {
    std::string path{};
    size_t folder = 0;  // the length of the folder's path before it
    int64_t tar = -1;   // -1: a file of its own
    int64_t offset = 0, bytes = 0;
    int32_t label = -1;
  };

  void add_path(const std::string& path) {
    std::error_code error;
    if (!fs::is_directory(path, error)) {
      tars_.emplace_back(path);
      const std::string tar = fs::path(path).filename().string();
      for (const TarMember& member : list_tar(tars_.back(), &left_out_)) {
        if (!has_image_name(member.path)) {
          left_out_.add(tar + ":" + member.path);
          continue;
        }
        places_.push_back({.path = tar + ":" + member.path,
                           .tar = static_cast<int64_t>(tars_.size()) - 1,
                           .offset = member.offset,
                           .bytes = member.size});
      }
      return;
    }
    const size_t folder = path.ends_with('/') ? path.size() : path.size() + 1;
    for (std::string& image : walk_.images_below(path)) {
      places_.push_back({.path = std::move(image), .folder = folder});
    }
  }

  void read_labels(const std::string& labels) {
    std::map<std::string, Place*> by_name;
    for (Place& place : places_) {
      if (by_name.emplace(file_of(place.path), &place).second) continue;
      throw DataError(
          fmt::format("two images are called {}, so {} cannot tell them apart", file_of(place.path), labels));
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
      if (place->second->label >= 0) {
        throw DataError(fmt::format("{}:{}: {} has a label already", labels, line.number, line.words[0]));
      }
      place->second->label = static_cast<int32_t>(value);
      highest = std::max(highest, place->second->label);
    }
    for (const Place& place : places_) {
      if (place.label < 0) throw DataError(fmt::format("{} has no label in {}", place.path, labels));
    }
    for (int32_t i = 0; i <= highest; ++i) class_names_.push_back(std::to_string(i));
  }

  std::vector<FileReader> tars_;
  std::vector<Place> places_;
  std::vector<std::string> class_names_;
  LeftOut left_out_;
  FolderWalk walk_{left_out_};
};

}  // namespace

std::unique_ptr<Dataset> open_labelled_images(const std::vector<std::string>& paths, const std::string& labels) {
  return std::make_unique<LabelledImages>(paths, labels);
}

std::unique_ptr<Dataset> exclude_images(std::unique_ptr<Dataset> images, const std::string& list) {
  std::multimap<std::string, int64_t> by_name;  // the whole, that in the set, the file, and that without its extension
  for (int64_t i = 0; i < images->size(); ++i) {
    const std::string name = images->name(i);
    for (const std::string& key : std::set{name, images->name_in_set(i), file_of(name), stem_of(name)}) {
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
