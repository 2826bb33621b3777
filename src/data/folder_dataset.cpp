// A folder of images by class: root/<class>/.../<file>. Read from the disk each time.
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <iterator>

#include "bn/error.hpp"
#include "data/class_list.hpp"
#include "data/folder_walk.hpp"
#include "data/placed_images.hpp"
#include "data/sources.hpp"
#include "system/files.hpp"

namespace bn {
namespace {

namespace fs = std::filesystem;

// Files beside the folders belong to no class.
std::vector<std::string> class_folders(const std::string& root, LeftOut* left_out = nullptr) {
  const FolderContents contents = read_folder(root);
  if (contents.error != 0) {
    throw DataError(fmt::format("cannot open the image folder {} ({})", root, errno_text(contents.error)));
  }
  std::vector<std::string> names;
  for (const fs::directory_entry& entry : contents.entries) {
    const std::string name = entry.path().filename().string();
    if (kind_of(entry) == EntryKind::kFolder && !is_hidden_name(name)) {
      names.push_back(name);
    } else if (left_out != nullptr) {
      left_out->add(entry.path().string());
    }
  }
  return names;
}

void add_unlisted_folders(const std::string& root, const std::vector<std::string>& found, const ClassList& classes,
                          LeftOut& left_out) {
  std::vector<std::string> unlisted;
  std::copy_if(found.begin(), found.end(), std::back_inserter(unlisted),
               [&](const std::string& name) { return classes.find(name) < 0; });
  constexpr size_t kMostCounted = 100;  // of a small part of a large set nothing else is read
  for (const std::string& name : unlisted) {
    const std::string folder = root + "/" + name;
    LeftOut beside;
    std::vector<std::string> unreadable;
    const size_t images =
        unlisted.size() <= kMostCounted ? FolderWalk(beside, &unreadable).images_below(folder).size() : 0;
    left_out.add(images > 0 ? fmt::format("{} ({} images of a class that is not listed)", folder, images)
                            : fmt::format("{} (a class that is not listed)", folder));
  }
}

}  // namespace

std::unique_ptr<Dataset> open_folder(const DataOptions& options, Split split) {
  std::string root = split_paths(options, split, 1, "one folder")[0];
  while (root.size() > 1 && root.back() == '/') root.pop_back();
  auto images = std::make_unique<PlacedImages>();
  auto found = class_folders(root, &images->omitted);
  std::ranges::sort(found);
  const auto holds_folders = [&](const std::string& name) { return !class_folders(root + "/" + name).empty(); };
  const bool is_listed = !options.classes.empty() || !options.trained_classes.empty();
  if (!is_listed && are_names_of_sets(found) && std::ranges::all_of(found, holds_folders)) {
    throw DataError(
        fmt::format("{} holds the folders '{}' and '{}', which look like sets with classes of their own: name each as "
                    "a training or validation set or, if they are classes, in a classes file",
                    root, found[0], found[1]));
  }
  const auto training_names = [&] { return class_folders(split_paths(options, Split::kTrain, 1, "one folder")[0]); };
  if (found.empty()) {
    throw DataError(fmt::format("no classes found in {}: it has no class folders (<class>/<image>.jpg)", root));
  }
  const ClassList classes = choose_classes(options, split, found, training_names);
  images->classes = classes.names();
  images->begin_files(root + "/");
  FolderWalk walk(images->omitted);
  walk.remember(root);
  for (const std::string& name : found) walk.remember(root + "/" + name);
  for (const std::string& name : classes.names()) {
    if (std::ranges::find(found, name) == found.end()) continue;
    for (const std::string& path : walk.images_below(root + "/" + name)) {
      images->add(path.substr(root.size() + 1), classes.find(name));
    }
  }
  if (images->size() == 0) {
    throw DataError(
        fmt::format("no images found in {}: none of its {} folders holds an image file of one of the {} "
                    "classes; image files are, by their names, {}{}",
                    root, found.size(), classes.size(), kImageKinds,
                    images->omitted.count > 0 ? "; there are " + images->omitted.list() : ""));
  }
  classes.check_none_empty(images->labels, root);
  add_unlisted_folders(root, found, classes, images->omitted);
  return images;
}

}  // namespace bn
