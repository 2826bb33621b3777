#include "run/safetensors.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <chrono>
#include <memory>
#include <nlohmann/json.hpp>
#include <thread>

#include "bn/error.hpp"

namespace bn {
namespace {

static_assert(std::endian::native == std::endian::little, "safetensors stores little-endian values");

using Json = nlohmann::ordered_json;

constexpr int64_t kLengthBytes = 8;
constexpr int64_t kMaxHeaderBytes = 100'000'000;  // the format's own limit
constexpr int64_t kDataAlignment = 8;
constexpr int64_t kBlockBytes = 1 << 20;
constexpr std::string_view kPrefix = R"({"__metadata__":{"checksum":"xxh3-64:)";
constexpr std::string_view kZeroDigits = "0000000000000000";
constexpr int64_t kDigitsOffset = kLengthBytes + static_cast<int64_t>(kPrefix.size());  // in the file

class Checksum {
 public:
  Checksum() : state_(XXH3_createState(), XXH3_freeState) { XXH3_64bits_reset(state_.get()); }
  void add(const void* data, int64_t bytes) { XXH3_64bits_update(state_.get(), data, static_cast<size_t>(bytes)); }
  std::string digits() const { return fmt::format("{:016x}", XXH3_64bits_digest(state_.get())); }

 private:
  std::unique_ptr<XXH3_state_t, decltype(&XXH3_freeState)> state_;
};

int64_t data_bytes(const Shape& shape) { return shape.elements() * size_of(DType::kF32); }

std::string make_header(const SafetensorsMetadata& metadata, const std::vector<SafetensorsEntry>& entries) {
  Json json;
  json["__metadata__"]["checksum"] = fmt::format("xxh3-64:{}", kZeroDigits);
  for (const auto& [key, value] : metadata) json["__metadata__"][key] = value;
  int64_t offset = 0;
  for (const SafetensorsEntry& entry : entries) {
    const int64_t end = offset + data_bytes(entry.shape);
    json[entry.name] = {{"dtype", "F32"},
                        {"shape", {entry.shape.n, entry.shape.h, entry.shape.w, entry.shape.c}},
                        {"data_offsets", {offset, end}}};
    offset = end;
  }
  // A path in the configuration need not be UTF-8, JSON must be; a checkpoint is worth more than that byte.
  std::string header = json.dump(-1, ' ', false, Json::error_handler_t::replace);
  header.resize((header.size() + kDataAlignment - 1) / kDataAlignment * kDataAlignment, ' ');
  return header;
}

// Throws Json::exception or std::out_of_range for whatever is not as write_safetensors writes it.
SafetensorsEntry parse_entry(const std::string& name, const Json& json, int64_t begin, int64_t available) {
  if (json.at("dtype") != "F32") throw std::out_of_range("is not F32");
  const auto dims = json.at("shape").get<std::vector<int64_t>>();
  if (dims.size() != 4) throw std::out_of_range("does not have four dimensions");
  int64_t bytes = size_of(DType::kF32);
  for (const int64_t dim : dims) {
    if (dim < 1 || dim > available / bytes) throw std::out_of_range("does not fit into the file");
    bytes *= dim;
  }
  if (json.at("data_offsets") != Json::array({begin, begin + bytes})) throw std::out_of_range("has wrong offsets");
  return {.name = name, .shape = {dims[0], dims[1], dims[2], dims[3]}};
}

}  // namespace

void write_safetensors(const std::string& path, const SafetensorsMetadata& metadata,
                       const std::vector<SafetensorsEntry>& entries, const TensorReader& read) {
  const std::string header = make_header(metadata, entries);
  const uint64_t length = header.size();
  AtomicFile file(path);
  Checksum checksum;
  const auto append = [&](const void* data, int64_t bytes) {
    checksum.add(data, bytes);
    file.append(data, bytes);
  };
  append(&length, kLengthBytes);
  append(header.data(), static_cast<int64_t>(header.size()));
  std::vector<float> values;
  for (size_t i = 0; i < entries.size(); ++i) {
    values.resize(static_cast<size_t>(entries[i].shape.elements()));
    read(i, values);
    append(values.data(), data_bytes(entries[i].shape));
  }
  const std::string digits = checksum.digits();
  file.overwrite(kDigitsOffset, digits.data(), static_cast<int64_t>(digits.size()));
  file.commit();
}

SafetensorsFile::SafetensorsFile(std::string path) : path_(std::move(path)) {
  for (int attempt = 1; !file_; ++attempt) {
    file_ = FileDescriptor(open(path_.c_str(), O_RDONLY | O_CLOEXEC));
    if (file_) break;
    if (errno == ENOENT || errno == ENOTDIR) fail(fmt::format("cannot be opened: {}", errno_text(errno)));
    pause_or_give_up(attempt);
  }
  struct stat status {};
  if (fstat(file_.get(), &status) != 0) fail(fmt::format("cannot be read: {}", errno_text(errno)));
  if (!S_ISREG(status.st_mode)) fail("is not a file");
  file_bytes_ = status.st_size;
  const std::string header = read_header();
  verify_checksum(header);
  parse_header(header);
}

std::string SafetensorsFile::read_header() {
  uint64_t length = 0;
  if (file_bytes_ < kLengthBytes) fail(fmt::format("is damaged: it ends after {} bytes", file_bytes_));
  read_at(0, &length, kLengthBytes);
  if (length > static_cast<uint64_t>(std::min(file_bytes_ - kLengthBytes, kMaxHeaderBytes))) {
    fail(fmt::format("is damaged: a header of {} bytes does not fit into {} bytes", length, file_bytes_));
  }
  std::string header(length, '\0');
  read_at(kLengthBytes, header.data(), static_cast<int64_t>(length));
  data_start_ = kLengthBytes + static_cast<int64_t>(length);
  if (!header.starts_with(kPrefix) || header.size() < kPrefix.size() + kZeroDigits.size()) {
    fail("is damaged, or was not written by bninception: its header does not start with a checksum");
  }
  return header;
}

void SafetensorsFile::verify_checksum(const std::string& header) const {
  const std::string stored = header.substr(kPrefix.size(), kZeroDigits.size());
  std::string zeroed = header;
  zeroed.replace(kPrefix.size(), kZeroDigits.size(), kZeroDigits);
  const uint64_t length = header.size();
  Checksum checksum;
  checksum.add(&length, kLengthBytes);
  checksum.add(zeroed.data(), static_cast<int64_t>(zeroed.size()));
  std::string block(static_cast<size_t>(std::min(kBlockBytes, file_bytes_ - data_start_)), '\0');
  for (int64_t offset = data_start_; offset < file_bytes_;) {
    const int64_t bytes = std::min(kBlockBytes, file_bytes_ - offset);
    read_at(offset, block.data(), bytes);
    checksum.add(block.data(), bytes);
    offset += bytes;
  }
  if (checksum.digits() != stored) {
    fail(fmt::format("is damaged: its checksum is {}, its contents have {}", stored, checksum.digits()));
  }
}

void SafetensorsFile::parse_header(const std::string& header) {
  const Json json = Json::parse(header, nullptr, false);
  if (!json.is_object()) fail("is damaged: its header is not JSON");
  int64_t offset = 0;
  for (const auto& [name, value] : json.items()) {
    try {
      if (name == "__metadata__") {
        for (const auto& [key, text] : value.items()) metadata_.emplace_back(key, text.get<std::string>());
        continue;
      }
      entries_.push_back(parse_entry(name, value, offset, file_bytes_ - data_start_ - offset));
    } catch (const std::exception& error) {
      fail(fmt::format("was not written by bninception: '{}' {}", name, error.what()));
    }
    offset += data_bytes(entries_.back().shape);
  }
  if (data_start_ + offset != file_bytes_) {
    fail(fmt::format("was not written by bninception: its tensors need {} bytes, it holds {}", offset,
                     file_bytes_ - data_start_));
  }
}

const std::string* SafetensorsFile::metadata(const std::string& key) const {
  const auto found =
      std::find_if(metadata_.begin(), metadata_.end(), [&](const auto& item) { return item.first == key; });
  return found == metadata_.end() ? nullptr : &found->second;
}

std::vector<float> SafetensorsFile::read_data() const {
  const int64_t bytes = file_bytes_ - data_start_;
  std::vector<float> values(static_cast<size_t>(bytes / size_of(DType::kF32)));
  read_at(data_start_, values.data(), bytes);
  return values;
}

void SafetensorsFile::read_at(int64_t offset, void* data, int64_t bytes) const {
  char* to = static_cast<char*>(data);
  int failures = 0;
  while (bytes > 0) {
    const ssize_t count = pread(file_.get(), to, static_cast<size_t>(bytes), offset);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) {
      pause_or_give_up(++failures);
      continue;
    }
    if (count == 0) fail("changed while it was read");
    to += count;
    offset += count;
    bytes -= count;
  }
}

void SafetensorsFile::pause_or_give_up(int failures) const {
  constexpr int kMostFailures = 5;
  if (failures >= kMostFailures) {
    throw StorageError(fmt::format("cannot read checkpoint '{}': {}", path_, errno_text(errno)));
  }
  std::this_thread::sleep_for(std::chrono::milliseconds(20 << failures));
}

void SafetensorsFile::fail(const std::string& why) const {
  throw CheckpointError(fmt::format("checkpoint '{}' {}", path_, why));
}

}  // namespace bn
