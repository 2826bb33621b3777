// Tar files of class folders (.../<class>/<file>): indexed once, then each image is read where it lies.
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <numeric>
#include <set>

#include "bn/error.hpp"
#include "data/class_list.hpp"
#include "data/placed_images.hpp"
#include "data/sources.hpp"

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
  size_t count() const {
    return std::accumulate(images.begin(), images.end(), size_t{0},
                           [](size_t sum, const std::vector<TarMember>& of_tar) { return sum + of_tar.size(); });
  }
  // Whether no image lies right in the folder of its class.
  bool all_lie_deeper() const {
    for (size_t tar = 0; tar < images.size(); ++tar) {
      for (const TarMember& member : images[tar]) {
        const std::string folder = std::filesystem::path(member.path).parent_path().filename().string();
        if (folder == folders[tar].of(member.path)) return false;
      }
    }
    return true;
  }
  // The folders of the classes, where a list names these.
  void prefer(const DataOptions& options) {
    const std::optional<ClassList> listed = listed_classes(options, 0);
    if (!listed) return;
    for (ClassFolders& classes_of_tar : folders) classes_of_tar.prefer(*listed);
  }
  std::vector<std::string> classes(const DataOptions& options) {
    prefer(options);
    std::set<std::string> names;
    for (size_t tar = 0; tar < images.size(); ++tar) {
      for (const TarMember& member : images[tar]) names.insert(folders[tar].of(member.path));
    }
    names.erase("");
    const std::vector<std::string> found(names.begin(), names.end());
    if (names.contains("..")) {
      throw DataError("a path in the tar files leads out of the folder that the others lie in (../): make them anew");
    }
    if (options.trained_classes.empty() && options.classes.empty()) expect_plain_classes(folders, found);
    return found;
  }
};

std::vector<std::string> class_names_in(const std::vector<std::string>& tars, const DataOptions& options) {
  Contents contents;
  for (const auto& path : tars) contents.add(FileReader(path));
  return contents.classes(options);
}

}  // namespace

std::unique_ptr<Dataset> open_tars(const DataOptions& options, Split split) {
  const std::vector<std::string> paths = split_paths(options, split, 0, "one tar file or more");
  const std::string source = fmt::format("{}", fmt::join(paths, ", "));
  const std::vector<std::string> tars = tars_in(paths);
  auto images = std::make_unique<PlacedImages>();
  Contents contents;
  for (const auto& path : tars) contents.add(images->tar(images->open_tar(path)));
  const std::vector<std::string> found = contents.classes(options);
  if (found.empty()) {
    throw DataError(fmt::format("no images found in {}: no member is named <class>/<image>.jpg", source));
  }
  if (options.classes.empty() && options.trained_classes.empty() && are_names_of_sets(found) &&
      contents.all_lie_deeper()) {
    throw DataError(fmt::format("{} holds {} images below '{}' and '{}'; unpack it and name the folder", source,
                                contents.count(), found[0], found[1]));
  }
  const auto training_names = [&] {
    return class_names_in(tars_in(split_paths(options, Split::kTrain, 0, "one tar file or more")), options);
  };
  const ClassList classes = choose_classes(options, split, found, training_names);
  images->classes = classes.names();
  images->omitted = std::move(contents.left_out);
  std::map<std::string, int64_t> unlisted;  // images by class
  for (size_t tar = 0; tar < tars.size(); ++tar) {
    for (const TarMember& member : contents.images[tar]) {
      const std::string name = contents.folders[tar].of(member.path);
      const int32_t label = classes.find(name);
      if (label >= 0) {
        images->add(tar, member, member.path, label);
      } else if (name.empty()) {
        images->omitted.add(tars[tar] + ":" + member.path);
      } else {
        ++unlisted[name];
      }
    }
  }
  add_unlisted(unlisted, images->omitted);
  classes.check_none_empty(images->labels, source);
  return images;
}

}  // namespace bn
