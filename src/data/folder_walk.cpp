#include "data/folder_walk.hpp"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
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

// A folder that cannot be read is new.
bool FolderWalk::is_new(const std::string& folder) {
  struct stat status {};
  if (stat(folder.c_str(), &status) != 0) return true;  // opening it tells why
  return known_.insert({status.st_dev, status.st_ino}).second;
}

void FolderWalk::remember(const std::string& folder) { is_new(folder); }

std::vector<std::string> FolderWalk::images_below(const std::string& folder) {
  remember(folder);
  std::vector<std::string> images;
  read(folder, images);
  std::sort(images.begin(), images.end());
  return images;
}

void FolderWalk::read(const std::string& folder, std::vector<std::string>& images) {
  const FolderContents contents = read_folder(folder);
  if (contents.error != 0) fail(folder, contents.error);
  for (const std::filesystem::directory_entry& entry : contents.entries) {
    const std::string path = entry.path().string(), name = entry.path().filename().string();
    const EntryKind kind = kind_of(entry);
    if (kind == EntryKind::kFolder && !is_hidden_name(name) && !is_thumbnails_name(name)) {
      if (is_new(path)) {
        read(path, images);
      } else {
        left_out_.add(path + " (a link to a folder that is part of the set already)");
      }
    } else if (kind == EntryKind::kFile && has_image_name(name)) {
      images.push_back(path);
    } else {
      left_out_.add(path);
    }
  }
}

}  // namespace bn
