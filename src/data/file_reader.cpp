#include "data/file_reader.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "bn/error.hpp"
#include "core/files.hpp"
#include "data/sources.hpp"

namespace bn {

FileReader::FileReader(std::string path) : path_(std::move(path)) {
  descriptor_ = ::open(path_.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor_ < 0) throw_cannot_open(path_);
  struct stat status {};
  const bool known = ::fstat(descriptor_, &status) == 0;
  if (!known || !S_ISREG(status.st_mode)) {
    ::close(descriptor_);
    throw DataError(fmt::format("cannot read {}: it is not a regular file", path_));
  }
  size_ = status.st_size;
}

FileReader::~FileReader() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

FileReader::FileReader(FileReader&& other) noexcept
    : path_(std::move(other.path_)), descriptor_(std::exchange(other.descriptor_, -1)), size_(other.size_) {}

void FileReader::read(int64_t offset, int64_t bytes, uint8_t* out) const {
  for (int64_t done = 0; done < bytes;) {
    const ssize_t count = ::pread(descriptor_, out + done, static_cast<size_t>(bytes - done), offset + done);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) throw StorageError(fmt::format("cannot read {} ({})", path_, errno_text(errno)));
    if (count == 0) throw DataError(fmt::format("{} ends before byte {}", path_, offset + bytes));
    done += count;
  }
}

int64_t FileReader::next_written(int64_t offset) const {
  const off_t found = ::lseek(descriptor_, offset, SEEK_DATA);  // no read depends on the file's position
  if (found >= 0) return found;
  return errno == ENXIO ? size_ : offset;
}

}  // namespace bn
