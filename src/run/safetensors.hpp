// The safetensors file format: 8 bytes little-endian header length, a JSON header, the data of the tensors one after
// the other. Every safetensors library reads these files; our addition is the checksum in the metadata:
//   "checksum": "xxh3-64:<16 hex digits>", always the first entry of the header, over every byte of the file with
//   those 16 digits taken as zeros.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "bn/tensor.hpp"
#include "core/files.hpp"

namespace bn {

struct SafetensorsEntry {  // f32
  std::string name;
  Shape shape{};
};

using SafetensorsMetadata = std::vector<std::pair<std::string, std::string>>;

// Fills the span with the values of the index-th entry.
using TensorReader = std::function<void(size_t index, std::span<float> values)>;

// Writes all or nothing (AtomicFile). Throws StorageError.
void write_safetensors(const std::string& path, const SafetensorsMetadata& metadata,
                       const std::vector<SafetensorsEntry>& entries, const TensorReader& read);

// Opening proves the file complete and undamaged; it never holds more of it in memory than the header.
// Throws CheckpointError naming the file.
class SafetensorsFile {
 public:
  explicit SafetensorsFile(std::string path);

  const std::string& path() const { return path_; }
  const std::string* metadata(const std::string& key) const;  // nullptr: absent
  const std::vector<SafetensorsEntry>& entries() const { return entries_; }
  std::vector<float> read_data() const;  // all entries' values, in order

 private:
  std::string read_header();
  void verify_checksum(const std::string& header) const;
  void parse_header(const std::string& header);
  void read_at(int64_t offset, void* data, int64_t bytes) const;
  // After a read that failed, as errno says: a disk's hiccup or too many open files are waited for; what stays is a
  // StorageError, not damage.
  void pause_or_give_up(int failures) const;
  [[noreturn]] void fail(const std::string& why) const;

  std::string path_;
  FileDescriptor file_;
  int64_t file_bytes_ = 0, data_start_ = 0;
  SafetensorsMetadata metadata_;
  std::vector<SafetensorsEntry> entries_;
};

}  // namespace bn
