#include "run/folder_lock.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>

#include "bn/error.hpp"

namespace bn {
namespace {

bool has_no_locks(int error) { return error == ENOSYS || error == EOPNOTSUPP || error == ENOLCK; }

std::string holder_of(int file) {
  char text[32];
  const ssize_t count = pread(file, text, sizeof text, 0);
  const std::string_view digits(text, count > 0 ? static_cast<size_t>(count) : 0);
  const std::string_view process = digits.substr(0, digits.find('\n'));
  return process.empty() ? "another process" : fmt::format("process {}", process);
}

}  // namespace

FolderLock::FolderLock(const std::string& folder, const LockWords& words) {
  const std::string path = folder + "/lock";
  file_ = FileDescriptor(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666));
  if (!file_) throw StorageError(fmt::format("cannot write '{}': {}", path, errno_text(errno)));
  if (flock(file_.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno == EWOULDBLOCK) {
      throw StorageError(
          fmt::format("{} '{}' is in use: {} {}", words.folder, folder, holder_of(file_.get()), words.use));
    }
    // Some cluster file systems have no locks; refusing to train there would cost more than the lock protects.
    if (!has_no_locks(errno)) throw StorageError(fmt::format("cannot lock '{}': {}", path, errno_text(errno)));
  }
  const std::string text = fmt::format("{}\n", getpid());
  if (ftruncate(file_.get(), 0) != 0 || pwrite(file_.get(), text.data(), text.size(), 0) < 0) {
    throw StorageError(fmt::format("cannot write '{}': {}", path, errno_text(errno)));
  }
}

}  // namespace bn
