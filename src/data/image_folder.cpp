// A folder of images by class: root/<class>/.../<file>. Read from the disk each time.
#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <set>
#include <utility>

#include "bn/error.hpp"
#include "core/files.hpp"
#include "data/class_list.hpp"
#include "data/file_reader.hpp"
#include "data/sources.hpp"

namespace bn {
namespace {

namespace fs = std::filesystem;

// Images beside the folders belong to no class.
std::vector<std::string> class_folders(const std::string& root, LeftOut* left_out = nullptr) {
  std::error_code error;
  fs::directory_iterator entries(root, error);
  if (error) throw DataError(fmt::format("cannot open the image folder {} ({})", root, error.message()));
  std::vector<std::string> names;
  for (const auto& entry : entries) {
    const std::string name = entry.path().filename().string();
    std::error_code unknown;  // of a link that leads nowhere
    const bool is_folder = entry.is_directory(unknown);
    if (is_folder && !is_hidden_name(name)) names.push_back(name);
    if (!is_folder && left_out != nullptr && has_image_name(name)) left_out->add(entry.path().string());
  }
  return names;
}

// Finds the images of one class. Links are followed; a folder that they lead to once more is left out.
class ClassWalk {
 public:
  ClassWalk(const std::string& root, const std::vector<std::string>& classes, LeftOut& left_out)
      : root_(root), left_out_(left_out) {
    remember(root);
    for (const std::string& name : classes) remember(fs::path(root) / name);
  }

  // Paths below root, sorted: the order of a directory is the file system's affair.
  std::vector<std::string> images_of(const std::string& class_name) {
    paths_.clear();
    read(fs::path(root_) / class_name);
    std::sort(paths_.begin(), paths_.end());
    return std::move(paths_);
  }

 private:
  // False if it is known already.
  bool remember(const fs::path& folder) {
    struct stat status {};
    if (stat(folder.c_str(), &status) != 0) fail(folder, errno);
    return known_.insert({status.st_dev, status.st_ino}).second;
  }
  void visit(const fs::path& folder) {
    if (remember(folder)) return read(folder);
    left_out_.add(folder.string() + " (a link to a folder that is part of the set already)");
  }
  void read(const fs::path& folder) {
    std::error_code error;
    for (fs::directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error)) {
      const std::string path = entry->path().string(), name = entry->path().filename().string();
      std::error_code unknown;  // of a link that leads nowhere
      if (entry->is_directory(unknown)) {
        is_hidden_name(name) ? left_out_.add(path) : visit(entry->path());
      } else if (entry->is_regular_file(unknown) && has_image_name(name)) {
        paths_.push_back(path.substr(root_.size() + 1));
      } else if (!is_hidden_name(name)) {
        left_out_.add(path);
      }
    }
    if (error) fail(folder, error.value());
  }
  [[noreturn]] static void fail(const fs::path& folder, int error) {
    throw DataError(fmt::format("cannot read the class folder {} ({})", folder.string(), errno_text(error)));
  }

  const std::string& root_;
  LeftOut& left_out_;
  std::vector<std::string> paths_;
  std::set<std::pair<dev_t, ino_t>> known_;
};

class ImageFolder final : public Dataset {
 public:
  ImageFolder(std::string root, const DataOptions& options, Split split) : root_(std::move(root)) {
    while (root_.size() > 1 && root_.back() == '/') root_.pop_back();
    const auto found = class_folders(root_, &left_out_);
    const auto training_names = [&] { return class_folders(split_paths(options, Split::kTrain, 1, "one folder")[0]); };
    if (found.empty()) {
      throw DataError(fmt::format("no images found in {}: it has no class folders (<class>/<image>.jpg)", root_));
    }
    const ClassList classes = choose_classes(options, split, found, training_names);
    ClassWalk walk(root_, found, left_out_);
    for (const auto& name : classes.names()) {
      if (std::find(found.begin(), found.end(), name) == found.end()) continue;
      for (auto& path : walk.images_of(name)) {
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
    storage.clear();
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
  LeftOut left_out_;
};

}  // namespace

std::unique_ptr<Dataset> open_image_folder(const DataOptions& options, Split split) {
  return std::make_unique<ImageFolder>(split_paths(options, split, 1, "one folder")[0], options, split);
}

}  // namespace bn
