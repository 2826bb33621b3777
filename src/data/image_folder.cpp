// A folder of images by class: root/<class>/.../<file>. Read from the disk each time.
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "bn/error.hpp"
#include "data/class_list.hpp"
#include "data/file_reader.hpp"
#include "data/sources.hpp"

namespace bn {
namespace {

namespace fs = std::filesystem;

std::vector<std::string> class_folders(const std::string& root) {
  std::error_code error;
  fs::directory_iterator entries(root, error);
  if (error) throw DataError(fmt::format("cannot open the image folder {} ({})", root, error.message()));
  std::vector<std::string> names;
  for (const auto& entry : entries) {
    const std::string name = entry.path().filename().string();
    if (entry.is_directory() && name.front() != '.') names.push_back(name);
  }
  return names;
}

// Paths below root of the images of one class, sorted: the order of a directory is the file system's affair.
std::vector<std::string> images_of(const std::string& root, const std::string& class_name) {
  std::vector<std::string> paths;
  const auto follow = fs::directory_options::follow_directory_symlink;
  try {
    for (const auto& entry : fs::recursive_directory_iterator(fs::path(root) / class_name, follow)) {
      const std::string path = entry.path().string();
      if (has_image_name(path) && entry.is_regular_file()) paths.push_back(path.substr(root.size() + 1));
    }
  } catch (const fs::filesystem_error& error) {  // no permission, a loop of links
    throw DataError(fmt::format("cannot read the class folder {}/{} ({})", root, class_name, error.code().message()));
  }
  std::sort(paths.begin(), paths.end());
  return paths;
}

class ImageFolder final : public Dataset {
 public:
  ImageFolder(std::string root, const DataOptions& options, Split split) : root_(std::move(root)) {
    while (root_.size() > 1 && root_.back() == '/') root_.pop_back();
    const auto found = class_folders(root_);
    const auto training_names = [&] { return class_folders(split_paths(options, Split::kTrain, 1, "one folder")[0]); };
    if (found.empty()) {
      throw DataError(fmt::format("no images found in {}: it has no class folders (<class>/<image>.jpg)", root_));
    }
    const ClassList classes = choose_classes(options, split, found, training_names);
    for (const auto& name : classes.names()) {
      if (std::find(found.begin(), found.end(), name) == found.end()) continue;
      for (auto& path : images_of(root_, name)) {
        paths_.push_back(std::move(path));
        labels_.push_back(classes.find(name));
      }
    }
    if (paths_.empty()) {
      throw DataError(
          fmt::format("no images found in {}: none of its {} folders holds an image file of one of the {} "
                      "classes",
                      root_, found.size(), classes.size()));
    }
    classes.check_none_empty(labels_, root_);
    class_names_ = classes.names();
  }

  int64_t size() const override { return static_cast<int64_t>(paths_.size()); }
  int32_t label(int64_t index) const override { return labels_[static_cast<size_t>(index)]; }
  std::string name(int64_t index) const override { return root_ + "/" + paths_[static_cast<size_t>(index)]; }
  const std::vector<std::string>& class_names() const override { return class_names_; }

  int64_t stored_bytes(int64_t index) const override {
    std::error_code error;  // reading the file will report the failure
    const auto bytes = fs::file_size(name(index), error);
    return error ? 0 : static_cast<int64_t>(bytes);
  }

  Sample read(int64_t index, std::vector<uint8_t>& storage) const override {
    const FileReader file(name(index));
    storage.resize(static_cast<size_t>(file.size()));
    file.read(0, file.size(), storage.data());
    return {.data = storage.data(), .bytes = file.size()};
  }

 private:
  std::string root_;
  std::vector<std::string> paths_;  // below root_
  std::vector<int32_t> labels_;
  std::vector<std::string> class_names_;
};

}  // namespace

std::unique_ptr<Dataset> open_image_folder(const DataOptions& options, Split split) {
  return std::make_unique<ImageFolder>(split_paths(options, split, 1, "one folder")[0], options, split);
}

}  // namespace bn
