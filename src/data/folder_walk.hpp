// The image files below a folder, and what lies among them that is none.
#pragma once

#include <sys/types.h>

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "bn/dataset.hpp"

namespace bn {

// Links are followed, after the folders themselves, but each folder is read once, by its device and inode: one that is
// met again is left out, as are hidden files and folders, files that are no images by their names, and links that lead
// nowhere.
class FolderWalk {
 public:
  // A folder that cannot be read adds "FOLDER: the reason" to `unreadable`; without that list it is a DataError. A disk
  // that fails is a StorageError.
  explicit FolderWalk(LeftOut& left_out, std::vector<std::string>* unreadable = nullptr)
      : left_out_(left_out), unreadable_(unreadable) {}
  // Its images belong elsewhere: a link to this folder is not followed.
  void remember(const std::string& folder);
  // Remembers the folder; one that was known already is left out.
  bool is_new(const std::string& folder);
  // The paths of the images, sorted: the order of a directory is the file system's affair.
  std::vector<std::string> images_below(const std::string& folder);

 private:
  // Returns the first path of a folder that is known; from then on it is.
  std::optional<std::string> known_as(const std::string& folder);
  void fail(const std::string& folder, int error);
  void read(const std::string& folder, std::vector<std::string>& images, std::vector<std::string>& links);

  LeftOut& left_out_;
  std::vector<std::string>* unreadable_;
  std::map<std::pair<dev_t, ino_t>, std::string> known_{};
};

}  // namespace bn
