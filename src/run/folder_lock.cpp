#include "run/folder_lock.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <thread>

#include "bn/error.hpp"

namespace bn {
namespace {

// It is empty or holds a process's id: whatever else it holds, another program or a user wrote.
bool is_lock_of_ours(int file) {
  char text[32];
  const ssize_t count = pread(file, text, sizeof text, 0);
  std::string_view content(text, count > 0 ? static_cast<size_t>(count) : 0);
  if (content.ends_with('\n')) content.remove_suffix(1);
  return content.size() < sizeof text - 1 && content.find_first_not_of("0123456789") == std::string_view::npos;
}

bool has_no_locks(int error) { return error == ENOSYS || error == EOPNOTSUPP || error == ENOLCK; }

std::string holder_of(int file) {
  char text[32];
  const ssize_t count = pread(file, text, sizeof text, 0);
  const std::string_view digits(text, count > 0 ? static_cast<size_t>(count) : 0);
  const std::string_view process = digits.substr(0, digits.find('\n'));
  return process.empty() ? "another process" : fmt::format("process {}", process);
}

// Who only asks whether the folder is locked holds the lock for a moment. Returns 0 or an error number.
int lock_patiently(int file) {
  constexpr int kTries = 10;
  for (int i = 1; flock(file, LOCK_EX | LOCK_NB) != 0; ++i) {
    if (errno != EWOULDBLOCK || i == kTries) return errno;
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  return 0;
}

}  // namespace

bool is_locked(const std::string& folder) {
  const FileDescriptor file(open((folder + "/lock").c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  return file && flock(file.get(), LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
}

FolderLock::FolderLock(const std::string& folder, const LockWords& words) {
  const std::string path = folder + "/lock";
  file_ = FileDescriptor(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666));
  if (!file_) throw StorageError(fmt::format("cannot write '{}': {}", path, errno_text(errno)));
  if (!is_lock_of_ours(file_.get())) {
    throw ConfigError(
        fmt::format("'{}' is there and is no lock of this program: give another --out, or move the file away", path));
  }
  const int error = lock_patiently(file_.get());
  if (error == EWOULDBLOCK) {
    throw StorageError(
        fmt::format("{} '{}' is in use: {} {}", words.folder, folder, holder_of(file_.get()), words.use));
  }
  // Some cluster file systems have no locks; refusing to train there would cost more than the lock protects.
  if (error != 0 && !has_no_locks(error)) {
    throw StorageError(fmt::format("cannot lock '{}': {}", path, errno_text(error)));
  }
  const std::string text = fmt::format("{}\n", getpid());
  if (ftruncate(file_.get(), 0) != 0 || pwrite(file_.get(), text.data(), text.size(), 0) < 0) {
    throw StorageError(fmt::format("cannot write '{}': {}", path, errno_text(errno)));
  }
}

}  // namespace bn
