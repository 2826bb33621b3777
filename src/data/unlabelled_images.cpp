// Images without labels, for a network to name: files, and folders of them.
#include <fmt/format.h>

#include <filesystem>

#include "bn/error.hpp"
#include "data/class_list.hpp"
#include "data/file_reader.hpp"
#include "data/folder_walk.hpp"

namespace bn {
namespace {

namespace fs = std::filesystem;

class UnlabelledImages final : public Dataset {
 public:
  UnlabelledImages(const std::vector<std::string>& paths, std::vector<std::string> classes,
                   std::vector<std::string>& unreadable)
      : class_names_(std::move(classes)), walk_(left_out_, &unreadable) {
    for (const std::string& path : paths) add(path);
    if (!files_.empty()) return;
    if (!unreadable.empty()) throw DataError(fmt::format("{}", fmt::join(unreadable, "; ")));
    throw DataError(fmt::format("no images found in {}; image files are, by their names, {}{}", fmt::join(paths, ", "),
                                kImageKinds, left_out_.count > 0 ? "; there are " + left_out_.list() : ""));
  }

  int64_t size() const override { return static_cast<int64_t>(files_.size()); }
  int32_t label(int64_t) const override { return 0; }  // unknown; nothing is scored by it
  std::string name(int64_t index) const override { return files_[static_cast<size_t>(index)]; }
  const std::vector<std::string>& class_names() const override { return class_names_; }
  LeftOut left_out() const override { return left_out_; }

  Sample read(int64_t index, std::vector<uint8_t>& storage) const override {
    read_whole_file(name(index), storage);
    return {.data = storage.data(), .bytes = static_cast<int64_t>(storage.size())};
  }

 private:
  // A file is taken whatever its name; in a folder, names tell images from other files.
  void add(const std::string& path) {
    std::error_code error;  // where a folder above it may not be looked into, reading it tells so
    const fs::file_type type = fs::status(path, error).type();
    if (type == fs::file_type::not_found) throw DataError(fmt::format("there is no file or folder '{}'", path));
    if (type != fs::file_type::directory) {
      files_.push_back(path);
      return;
    }
    const std::vector<std::string> images = walk_.images_below(path);
    files_.insert(files_.end(), images.begin(), images.end());
  }

  std::vector<std::string> files_;
  std::vector<std::string> class_names_;
  LeftOut left_out_;
  FolderWalk walk_;
};

}  // namespace

std::unique_ptr<Dataset> open_unlabelled_images(const std::vector<std::string>& paths,
                                                const std::vector<std::string>& classes,
                                                std::vector<std::string>& unreadable) {
  return std::make_unique<UnlabelledImages>(paths, classes, unreadable);
}

}  // namespace bn
