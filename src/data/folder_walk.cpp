#include "data/folder_walk.hpp"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>

#include "bn/error.hpp"
#include "data/class_list.hpp"
#include "system/files.hpp"

namespace bn {

void FolderWalk::fail(const std::string& folder, int error) {
  if (unreadable_ == nullptr) {
    throw DataError(fmt::format("cannot read the folder {} ({})", folder, errno_text(error)));
  }
  unreadable_->push_back(fmt::format("{}: the folder cannot be read ({})", folder, errno_text(error)));
}

std::optional<std::string> FolderWalk::known_as(const std::string& folder) {
  struct stat status {};
  if (stat(folder.c_str(), &status) != 0) return std::nullopt;  // opening it tells why
  const auto [known, is_new] = known_.emplace(std::pair(status.st_dev, status.st_ino), folder);
  return is_new ? std::nullopt : std::optional(known->second);
}

void FolderWalk::remember(const std::string& folder) { known_as(folder); }

bool FolderWalk::is_new(const std::string& folder) {
  const std::optional<std::string> first = known_as(folder);
  if (!first) return true;
  left_out_.add(*first == folder ? folder + " (part of the set already)"
                                 : fmt::format("{} (the same folder as {})", folder, *first));
  return false;
}

std::vector<std::string> FolderWalk::images_below(const std::string& folder) {
  remember(folder);
  std::vector<std::string> images, links;
  read(folder, images, links);
  for (size_t i = 0; i < links.size(); ++i) {
    const std::string link = links[i];
    if (is_new(link)) read(link, images, links);
  }
  std::ranges::sort(images);
  return images;
}

void FolderWalk::read(const std::string& folder, std::vector<std::string>& images, std::vector<std::string>& links) {
  const FolderContents contents = read_folder(folder);
  if (contents.error != 0) fail(folder, contents.error);
  for (const std::filesystem::directory_entry& entry : contents.entries) {
    const std::string path = entry.path().string(), name = entry.path().filename().string();
    const EntryKind kind = kind_of(entry);
    if (kind == EntryKind::kFolder && !is_hidden_name(name) && !is_thumbnails_name(name)) {
      if (std::error_code error; entry.is_symlink(error)) {
        links.push_back(path);
      } else if (is_new(path)) {
        read(path, images, links);
      }
    } else if (kind == EntryKind::kFile && has_image_name(name)) {
      images.push_back(path);
    } else {
      left_out_.add(path);
    }
  }
}

}  // namespace bn
