// Tar files of class folders (.../<class>/<file>): indexed once, then each image is read where it lies.
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <set>

#include "bn/error.hpp"
#include "data/class_list.hpp"
#include "data/sources.hpp"
#include "data/tar.hpp"

namespace bn {
namespace {

// A folder stands for the tar files in it, by name.
std::vector<std::string> tars_in(const std::vector<std::string>& paths) {
  namespace fs = std::filesystem;
  std::vector<std::string> tars;
  for (const std::string& path : paths) {
    std::error_code error;
    if (!fs::is_directory(path, error)) {
      tars.push_back(path);
      continue;
    }
    const size_t first = tars.size();
    for (fs::directory_iterator entry(path, error), end; !error && entry != end; entry.increment(error)) {
      if (entry->path().extension() == ".tar") tars.push_back(entry->path().string());
    }
    if (error) throw DataError(fmt::format("cannot read the folder {} ({})", path, error.message()));
    if (tars.size() == first) throw DataError(fmt::format("there is no .tar file in the folder {}", path));
    std::sort(tars.begin() + static_cast<std::ptrdiff_t>(first), tars.end());
  }
  return tars;
}

// The images in tar files, a list for each, and the folders that name their classes.
struct Contents {
  std::vector<std::vector<TarMember>> images{};
  std::vector<ClassFolders> folders{};
  LeftOut left_out{};

  void add(const FileReader& tar) {
    std::vector<TarMember> members = list_tar(tar, &left_out);
    std::erase_if(members, [&](const TarMember& member) {
      if (has_image_name(member.path)) return false;
      left_out.add(tar.path() + ":" + member.path);
      return true;
    });
    ClassFolders& classes_of_tar = folders.emplace_back();
    for (const TarMember& member : members) classes_of_tar.add(member.path);
    images.push_back(std::move(members));
  }
  std::vector<std::string> classes() const {
    std::set<std::string> names;
    for (size_t tar = 0; tar < images.size(); ++tar) {
      for (const TarMember& member : images[tar]) names.insert(folders[tar].of(member.path));
    }
    names.erase("");
    return {names.begin(), names.end()};
  }
};

std::vector<std::string> class_names_in(const std::vector<std::string>& tars) {
  Contents contents;
  for (const auto& path : tars) contents.add(FileReader(path));
  return contents.classes();
}

class TarDataset final : public Dataset {
 public:
  TarDataset(const std::vector<std::string>& paths, const DataOptions& options, Split split) {
    const std::string source = fmt::format("{}", fmt::join(paths, ", "));
    Contents contents;
    for (const auto& path : tars_in(paths)) contents.add(tars_.emplace_back(path));
    const std::vector<std::string> found = contents.classes();
    if (found.empty()) {
      throw DataError(fmt::format("no images found in {}: no member is named <class>/<image>.jpg", source));
    }
    const auto training_names = [&] {
      return class_names_in(tars_in(split_paths(options, Split::kTrain, 0, "one tar file or more")));
    };
    const ClassList classes = choose_classes(options, split, found, training_names);
    left_out_ = std::move(contents.left_out);
    for (size_t tar = 0; tar < tars_.size(); ++tar)
      add_members(contents.images[tar], tar, classes, contents.folders[tar]);
    classes.check_none_empty(labels_, source);
    class_names_ = classes.names();
  }

  int64_t size() const override { return static_cast<int64_t>(labels_.size()); }
  int64_t stored_bytes(int64_t index) const override { return places_[static_cast<size_t>(index)].bytes; }
  int32_t label(int64_t index) const override { return labels_[static_cast<size_t>(index)]; }
  const std::vector<std::string>& class_names() const override { return class_names_; }

  std::vector<int64_t> shard_sizes() const override { return shard_sizes_; }
  LeftOut left_out() const override { return left_out_; }

  std::string name(int64_t index) const override {
    const Place& place = places_[static_cast<size_t>(index)];
    const auto tar = std::filesystem::path(tars_[place.tar].path()).filename().string();
    return fmt::format("{}:{}", tar, names_.c_str() + place.name);
  }

  uint64_t content_key(int64_t index) const override {
    const Place& place = places_[static_cast<size_t>(index)];
    return bn::content_key(tars_[place.tar], place.offset, place.bytes);
  }

  Sample read(int64_t index, std::vector<uint8_t>& storage) const override {
    storage.clear();
    const Place& place = places_[static_cast<size_t>(index)];
    storage.resize(static_cast<size_t>(place.bytes));
    tars_[place.tar].read(place.offset, place.bytes, storage.data());
    return {.data = storage.data(), .bytes = place.bytes};
  }

 private:
  struct Place {
    int64_t offset, bytes;
    size_t name;  // an offset in names_
    size_t tar;
  };

  void add_members(const std::vector<TarMember>& members, size_t tar, const ClassList& classes,
                   const ClassFolders& folders) {
    const auto before = size();
    for (const auto& member : members) {
      const int32_t label = classes.find(folders.of(member.path));
      if (label < 0) {
        if (folders.of(member.path).empty()) left_out_.add(tars_[tar].path() + ":" + member.path);
        continue;
      }
      places_.push_back({.offset = member.offset, .bytes = member.size, .name = names_.size(), .tar = tar});
      labels_.push_back(label);
      names_.append(member.path.c_str(), member.path.size() + 1);
    }
    shard_sizes_.push_back(size() - before);
  }

  std::vector<FileReader> tars_;
  std::vector<Place> places_;
  std::vector<int32_t> labels_;
  std::vector<int64_t> shard_sizes_;
  std::string names_;  // all paths, each closed by a zero: one allocation instead of a million
  std::vector<std::string> class_names_;
  LeftOut left_out_;
};

}  // namespace

std::unique_ptr<Dataset> open_tars(const DataOptions& options, Split split) {
  return std::make_unique<TarDataset>(split_paths(options, split, 0, "one tar file or more"), options, split);
}

}  // namespace bn
