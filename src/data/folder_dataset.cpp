// A folder of images by class: root/<class>/.../<file>. Read from the disk each time.
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "bn/error.hpp"
#include "data/class_list.hpp"
#include "data/file_reader.hpp"
#include "data/folder_walk.hpp"
#include "data/sources.hpp"

namespace bn {
namespace {

namespace fs = std::filesystem;

// Files beside the folders belong to no class.
std::vector<std::string> class_folders(const std::string& root, LeftOut* left_out = nullptr) {
  std::error_code error;
  fs::directory_iterator entries(root, error);
  if (error) throw DataError(fmt::format("cannot open the image folder {} ({})", root, error.message()));
  std::vector<std::string> names;
  for (const auto& entry : entries) {
    const std::string name = entry.path().filename().string();
    std::error_code unknown;  // set for a link that leads nowhere
    if (entry.is_directory(unknown) && !is_hidden_name(name)) {
      names.push_back(name);
    } else if (left_out != nullptr) {
      left_out->add(entry.path().string());
    }
  }
  return names;
}

class FolderDataset final : public Dataset {
 public:
  FolderDataset(std::string root, const DataOptions& options, Split split) : root_(std::move(root)) {
    while (root_.size() > 1 && root_.back() == '/') root_.pop_back();
    const auto found = class_folders(root_, &left_out_);
    const auto training_names = [&] { return class_folders(split_paths(options, Split::kTrain, 1, "one folder")[0]); };
    if (found.empty()) {
      throw DataError(fmt::format("no classes found in {}: it has no class folders (<class>/<image>.jpg)", root_));
    }
    const ClassList classes = choose_classes(options, split, found, training_names);
    read_classes(found, classes);
    if (paths_.empty()) {
      throw DataError(
          fmt::format("no images found in {}: none of its {} folders holds an image file of one of the {} "
                      "classes; image files are, by their names, {}{}",
                      root_, found.size(), classes.size(), kImageKinds,
                      left_out_.count > 0 ? "; there are " + left_out_.list() : ""));
    }
    classes.check_none_empty(labels_, root_);
    class_names_ = classes.names();
  }

  int64_t size() const override { return static_cast<int64_t>(paths_.size()); }
  int32_t label(int64_t index) const override { return labels_[static_cast<size_t>(index)]; }
  std::string name(int64_t index) const override { return root_ + "/" + paths_[static_cast<size_t>(index)]; }
  std::string name_in_set(int64_t index) const override { return paths_[static_cast<size_t>(index)]; }
  const std::vector<std::string>& class_names() const override { return class_names_; }
  LeftOut left_out() const override { return left_out_; }

  int64_t stored_bytes(int64_t index) const override {
    std::error_code error;  // reading the file will report the failure
    const auto bytes = fs::file_size(name(index), error);
    return error ? 0 : static_cast<int64_t>(bytes);
  }

  uint64_t content_key(int64_t index) const override {
    const FileReader file(name(index));
    return bn::content_key(file, 0, file.size());
  }

  Sample read(int64_t index, std::vector<uint8_t>& storage) const override {
    read_whole_file(name(index), storage);
    return {.data = storage.data(), .bytes = static_cast<int64_t>(storage.size())};
  }

 private:
  void read_classes(const std::vector<std::string>& found, const ClassList& classes) {
    FolderWalk walk(left_out_);
    walk.remember(root_);
    for (const std::string& name : found) walk.remember(root_ + "/" + name);
    for (const std::string& name : classes.names()) {
      if (std::find(found.begin(), found.end(), name) == found.end()) continue;
      for (const std::string& path : walk.images_below(root_ + "/" + name)) {
        paths_.push_back(path.substr(root_.size() + 1));
        labels_.push_back(classes.find(name));
      }
    }
  }

  std::string root_;
  std::vector<std::string> paths_;  // below root_
  std::vector<int32_t> labels_;
  std::vector<std::string> class_names_;
  LeftOut left_out_;
};

}  // namespace

std::unique_ptr<Dataset> open_folder(const DataOptions& options, Split split) {
  return std::make_unique<FolderDataset>(split_paths(options, split, 1, "one folder")[0], options, split);
}

}  // namespace bn
