#include "data/file_reader.hpp"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "bn/error.hpp"
#include "data/sources.hpp"

namespace bn {

FileReader::FileReader(std::string path) : path_(std::move(path)) {
  file_ = open_patiently(path_);
  if (!file_) throw_cannot_open(path_);
  struct stat status {};
  if (::fstat(file_.get(), &status) != 0) {
    throw StorageError(fmt::format("cannot read {} ({})", path_, errno_text(errno)));
  }
  if (!S_ISREG(status.st_mode)) {
    throw DataError(fmt::format("cannot read {}: it is not a regular file", path_));
  }
  size_ = status.st_size;
}

void FileReader::read(int64_t offset, int64_t bytes, uint8_t* out) const {
  const PatientRead read = read_patiently(file_.get(), out, bytes, offset);
  if (read.failed) throw StorageError(fmt::format("cannot read {} ({})", path_, errno_text(errno)));
  if (read.bytes < bytes) throw DataError(fmt::format("{} ends before byte {}", path_, offset + bytes));
}

int64_t FileReader::next_written(int64_t offset) const {
  const off_t found = ::lseek(file_.get(), offset, SEEK_DATA);  // no read depends on the file's position
  if (found >= 0) return found;
  return errno == ENXIO ? size_ : offset;
}

void read_whole_file(const std::string& path, std::vector<uint8_t>& bytes) {
  bytes.clear();
  const FileReader file(path);
  bytes.resize(static_cast<size_t>(file.size()));
  file.read(0, file.size(), bytes.data());
}

// The parts lie at equal distances, the first and the last at the ends. Photos that differ, differ in their size or in
// one of their ends; two that do not are taken for copies, which keeps them on one side.
uint64_t content_digest(const FileReader& file, int64_t offset, int64_t bytes, int64_t most, int64_t parts) {
  std::vector<uint8_t> read(static_cast<size_t>(std::min(bytes, most)));
  if (bytes <= most) {
    file.read(offset, bytes, read.data());
  } else {
    const int64_t part = most / parts;
    for (int64_t i = 0; i < parts; ++i) {
      file.read(offset + (bytes - part) * i / (parts - 1), part, read.data() + i * part);
    }
  }
  return XXH3_64bits_withSeed(read.data(), read.size(), static_cast<uint64_t>(bytes));
}

}  // namespace bn
