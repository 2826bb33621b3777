// The safetensors file format: 8 bytes little-endian header length, a JSON header, the data of the tensors one after
// the other. Every safetensors library reads the files written here; our addition is the checksum in the metadata:
//   "checksum": "xxh3-64:<16 hex digits>", always the first entry of the header, over every byte of the file with
//   those 16 digits taken as zeros.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "bn/tensor.hpp"
#include "system/files.hpp"

namespace bn {

struct SafetensorsEntry {
  std::string name{};
  std::vector<int64_t> dims{};  // none: a single value
  std::string type = "F32";     // in the format's spelling
  int64_t begin = 0, end = 0;   // bytes from the start of the data; not used for writing

  int64_t elements() const;
};

std::vector<int64_t> dims_of(const Shape& shape);         // all four
std::string to_string(const std::vector<int64_t>& dims);  // "64x3x7x7"

using SafetensorsMetadata = std::vector<std::pair<std::string, std::string>>;

// Fills the span with the values of the index-th entry.
using TensorReader = std::function<void(size_t index, std::span<float> values)>;

// Returns a value that no sound training saves, in words: "value 3 of 'conv1/w' is nan", and of variances also one
// below 0; "" where there is none. Of a layer whose inputs overflowed the variance is infinite, and training goes on.
enum class ValueKind { kAny, kVariance };
std::string unsound_value(const std::string& name, std::span<const float> values, ValueKind kind);

// Writes all or nothing (AtomicFile), in f32. Throws StorageError.
void write_safetensors(const std::string& path, const SafetensorsMetadata& metadata,
                       const std::vector<SafetensorsEntry>& entries, const TensorReader& read);

// True if the first bytes of a file, 64 or more, are those of one that write_safetensors wrote.
bool is_safetensors_of_ours(std::string_view beginning);

// kOwn: written by write_safetensors for tensors of four dimensions; opening proves it undamaged.
// kAny: any valid file; opening proves that its header is true.
enum class SafetensorsWriter { kOwn, kAny };

// Opening never holds more of the file in memory than the header. Throws CheckpointError naming the file.
class SafetensorsFile {
 public:
  explicit SafetensorsFile(std::string path, SafetensorsWriter writer = SafetensorsWriter::kOwn);

  const std::string& path() const { return path_; }
  const std::string* metadata(const std::string& key) const;  // nullptr: absent
  const SafetensorsMetadata& metadata() const { return metadata_; }
  const std::vector<SafetensorsEntry>& entries() const { return entries_; }
  // F32, F16, BF16 and F64 become f32; CheckpointError for other types.
  std::vector<float> read(const SafetensorsEntry& entry) const;

 private:
  std::string read_header();
  void require_checksum(const std::string& header) const;
  void verify_checksum(const std::string& header) const;
  void parse_header(const std::string& header);
  void require_no_gaps() const;
  void read_at(int64_t offset, void* data, int64_t bytes) const;
  [[noreturn]] void throw_cannot_read() const;  // the message ends in errno's words
  [[noreturn]] void fail(const std::string& why) const;

  std::string path_;
  SafetensorsWriter writer_;
  FileDescriptor file_;
  int64_t file_bytes_ = 0, data_start_ = 0;
  SafetensorsMetadata metadata_;
  std::vector<SafetensorsEntry> entries_;
};

}  // namespace bn
