#pragma once

#include <string>

#include "system/files.hpp"

namespace bn {

// The words of the message when the lock is held: "run folder 'a' is in use: process 12 trains into it".
struct LockWords {
  const char* folder = "run folder";
  const char* use = "trains into it";
};

// Holds FOLDER/lock, with this process's id in it. The system lets go of it when the process ends, however it ends.
// Throws StorageError (held, or unwritable), or ConfigError where somebody else's file has that name.
class FolderLock {
 public:
  explicit FolderLock(const std::string& folder, const LockWords& words = {});

 private:
  FileDescriptor file_;
};

// Whether a process holds the folder's lock. False where that cannot be known: without locks, or without the right to
// read it.
bool is_locked(const std::string& folder);

}  // namespace bn
