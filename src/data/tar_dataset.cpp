// Tar files of class folders (.../<class>/<file>): indexed once, then each image is read where it lies.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <map>
#include <numeric>
#include <set>
#include <string_view>

#include "bn/error.hpp"
#include "data/class_list.hpp"
#include "data/placed_images.hpp"
#include "data/sources.hpp"
#include "system/files.hpp"
#include "system/text.hpp"

namespace bn {
namespace {

namespace fs = std::filesystem;

bool is_compressed_tar(const std::string& name) {
  static constexpr std::array<std::string_view, 9> kEndings{".tar.gz", ".tgz",     ".tar.xz", ".txz", ".tar.zst",
                                                            ".tzst",   ".tar.bz2", ".tbz2",   ".tbz"};
  const std::string lower = lower_case(name);
  return std::ranges::any_of(kEndings, [&](std::string_view end) { return lower.ends_with(end); });
}

// A folder stands for the tar files in it, by name. What else lies there is left out, compressed ones too; without a
// word what is hidden.
std::vector<std::string> tars_in(const std::vector<std::string>& paths, LeftOut& left_out) {
  std::vector<std::string> tars;
  for (const std::string& path : paths) {
    if (!is_folder(path)) {
      tars.push_back(path);
      continue;
    }
    const FolderContents contents = read_folder(path);
    if (contents.error != 0) {
      throw DataError(fmt::format("cannot read the folder {} ({})", path, errno_text(contents.error)));
    }
    const size_t before = tars.size();
    std::string compressed;
    for (const fs::directory_entry& entry : contents.entries) {
      const std::string file = entry.path().string(), name = entry.path().filename().string();
      if (is_hidden_name(name)) continue;
      if (compressed.empty() && is_compressed_tar(name)) compressed = file;
      const bool is_tar = lower_case(name).ends_with(".tar") && kind_of(entry) != EntryKind::kFolder;
      is_tar ? tars.push_back(file) : left_out.add(file);
    }
    if (tars.size() > before) continue;
    if (compressed.empty()) throw DataError(fmt::format("there is no .tar file in the folder {}", path));
    throw DataError(fmt::format("{} is compressed, and tar files are read in place: decompress it", compressed));
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
        const std::string folder = fs::path(member.path).parent_path().filename().string();
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
  Contents contents;
  const std::vector<std::string> tars = tars_in(paths, contents.left_out);
  auto images = std::make_unique<PlacedImages>();
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
    LeftOut of_training;
    return class_names_in(tars_in(split_paths(options, Split::kTrain, 0, "one tar file or more"), of_training),
                          options);
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
