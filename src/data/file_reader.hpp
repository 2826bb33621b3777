// A file opened for reading at any offset by any thread.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "system/files.hpp"

namespace bn {

class FileReader {
 public:
  // DataError if it cannot be opened, StorageError if that is the machine's fault.
  explicit FileReader(std::string path);

  const std::string& path() const { return path_; }
  int64_t size() const { return size_; }
  // DataError unless all bytes are there, StorageError if the disk fails.
  void read(int64_t offset, int64_t bytes, uint8_t* out) const;

  // Where the next bytes lie that were ever written, at or after the offset; size() where none are. All before them are
  // zeros that the file system does not store.
  int64_t next_written(int64_t offset) const;

 private:
  std::string path_;
  FileDescriptor file_;
  int64_t size_ = 0;
};

// Fills `bytes` with the whole file; no bytes of another file stay in it where that throws.
void read_whole_file(const std::string& path, std::vector<uint8_t>& bytes);

// Dataset::content_digest of an image that lies there in the file.
uint64_t content_digest(const FileReader& file, int64_t offset, int64_t bytes, int64_t most, int64_t parts);

}  // namespace bn
