// Writes a plain ustar file of regular members: mode 0644, owner and time 0, so that the bytes depend on the members
// alone. The file appears under its name once it is whole.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "system/checksum.hpp"
#include "system/files.hpp"

namespace bn {

class TarWriter {
 public:
  explicit TarWriter(const std::string& path);

  // Returns the offset of the member's bytes. A name of over 100 bytes is split at a slash, or shortened to the part
  // that fits and a hash of the whole. StorageError when the disk is full.
  int64_t append(const std::string& name, const uint8_t* bytes, int64_t size);

  struct Result {
    int64_t bytes = 0;
    uint64_t checksum = 0;  // xxh3 of the file's bytes
  };
  Result finish();

 private:
  void write(const uint8_t* bytes, int64_t size);
  void flush();

  AtomicFile file_;
  Checksum sum_;
  std::vector<uint8_t> buffer_;
  int64_t position_ = 0;
};

}  // namespace bn
