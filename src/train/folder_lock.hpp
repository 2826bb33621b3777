#pragma once

#include <string>

#include "train/files.hpp"

namespace bn {

// Holds FOLDER/lock, with this process's id in it. The system lets go of it when the process ends, however it ends.
class FolderLock {
 public:
  explicit FolderLock(const std::string& folder);  // throws StorageError: held by another, or unwritable

 private:
  FileDescriptor file_;
};

}  // namespace bn
