// The image files below a folder, and what lies among them that is none.
#pragma once

#include <sys/types.h>

#include <set>
#include <string>
#include <utility>
#include <vector>

#include "bn/dataset.hpp"

namespace bn {

// Links are followed, but each folder is read once, by its device and inode: one that a link leads to again is left
// out, as are hidden files and folders, files that are no images by their names, and links that lead nowhere.
class FolderWalk {
 public:
  // A folder that cannot be read adds "FOLDER: the reason" to `unreadable`; without that list it is a DataError. A disk
  // that fails is a StorageError.
  explicit FolderWalk(LeftOut& left_out, std::vector<std::string>* unreadable = nullptr)
      : left_out_(left_out), unreadable_(unreadable) {}
  // Its images belong elsewhere: a link to this folder is not followed.
  void remember(const std::string& folder);
  // The paths of the images, sorted: the order of a directory is the file system's affair.
  std::vector<std::string> images_below(const std::string& folder);

 private:
  bool is_new(const std::string& folder);
  void fail(const std::string& folder, int error);
  void read(const std::string& folder, std::vector<std::string>& images);

  LeftOut& left_out_;
  std::vector<std::string>* unreadable_;
  std::set<std::pair<dev_t, ino_t>> known_{};
};

}  // namespace bn
