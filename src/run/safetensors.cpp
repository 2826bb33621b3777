#include "run/safetensors.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <nlohmann/json.hpp>

#include "bn/error.hpp"
#include "system/checksum.hpp"
#include "system/text.hpp"

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
constexpr int64_t kDigitsOffset = kLengthBytes + static_cast<int64_t>(kPrefix.size());  // an offset in the file

struct ElementType {
  const char* name;
  int64_t bytes;
};
constexpr std::array kElementTypes = {
    ElementType{"F32", 4},     ElementType{"F16", 2},     ElementType{"BF16", 2}, ElementType{"F64", 8},
    ElementType{"I64", 8},     ElementType{"I32", 4},     ElementType{"I16", 2},  ElementType{"I8", 1},
    ElementType{"U64", 8},     ElementType{"U32", 4},     ElementType{"U16", 2},  ElementType{"U8", 1},
    ElementType{"F8_E4M3", 1}, ElementType{"F8_E5M2", 1}, ElementType{"C64", 8},  ElementType{"BOOL", 1},
};

int64_t data_bytes(const SafetensorsEntry& entry) { return entry.elements() * size_of(DType::kF32); }

// IEEE 754 binary16.
float from_half(uint16_t half) {
  const bool is_negative = (half & 0x8000U) != 0;
  const unsigned exponent = (half >> 10) & 0x1fU, fraction = half & 0x3ffU;
  const uint32_t sign = is_negative ? 0x80000000U : 0U;
  if (exponent == 0x1fU) return std::bit_cast<float>(sign | 0x7f800000U | (fraction << 13));
  if (exponent != 0) return std::bit_cast<float>(sign | ((exponent + 112) << 23) | (fraction << 13));
  constexpr float kSmallest = 0x1p-24F;
  const float magnitude = static_cast<float>(fraction) * kSmallest;
  return is_negative ? -magnitude : magnitude;
}

template <class Stored, class Convert>
void convert(std::vector<float>& values, const std::vector<char>& bytes, Convert to_float) {
  for (size_t i = 0; i < values.size(); ++i) {
    Stored stored;
    std::memcpy(&stored, bytes.data() + i * sizeof(Stored), sizeof(Stored));
    values[i] = to_float(stored);
  }
}

std::string make_header(const SafetensorsMetadata& metadata, const std::vector<SafetensorsEntry>& entries) {
  Json json;
  json["__metadata__"]["checksum"] = fmt::format("xxh3-64:{}", kZeroDigits);
  for (const auto& [key, value] : metadata) json["__metadata__"][key] = value;
  int64_t offset = 0;
  for (const SafetensorsEntry& entry : entries) {
    const int64_t end = offset + data_bytes(entry);
    json[entry.name] = {{"dtype", "F32"}, {"shape", entry.dims}, {"data_offsets", {offset, end}}};
    offset = end;
  }
  // A path in the configuration need not be UTF-8, JSON must be; a checkpoint is worth more than that byte.
  std::string header = json_text(json);
  header.resize((header.size() + kDataAlignment - 1) / kDataAlignment * kDataAlignment, ' ');
  return header;
}

// Throws Json::exception or std::out_of_range for whatever is not true of a file whose data have `available` bytes.
SafetensorsEntry parse_entry(const std::string& name, const Json& json, int64_t available) {
  SafetensorsEntry entry{
      .name = name, .dims = json.at("shape").get<std::vector<int64_t>>(), .type = json.at("dtype").get<std::string>()};
  const auto type = std::ranges::find(kElementTypes, entry.type, &ElementType::name);
  if (type == kElementTypes.end()) throw std::out_of_range("is of an unknown type");
  int64_t bytes = type->bytes;
  const bool is_empty = std::ranges::find(entry.dims, 0) != entry.dims.end();
  for (const int64_t dim : entry.dims) {
    if (dim < 0 || (!is_empty && dim > available / bytes)) throw std::out_of_range("does not fit into the file");
    if (!is_empty) bytes *= dim;
  }
  if (is_empty) bytes = 0;
  const auto offsets = json.at("data_offsets").get<std::vector<int64_t>>();
  if (offsets.size() != 2) throw std::out_of_range("has wrong offsets");
  entry.begin = offsets[0];
  entry.end = offsets[1];
  if (entry.begin < 0 || entry.begin > available || entry.end != entry.begin + bytes || entry.end > available) {
    throw std::out_of_range("has wrong offsets");
  }
  return entry;
}

// Proves that the tensor has the type, dimensions and place that write_safetensors() gives it. Throws as above.
void require_own(const SafetensorsEntry& entry, int64_t begin) {
  if (entry.type != "F32") throw std::out_of_range("is not F32");
  if (entry.dims.size() != 4) {
    throw std::out_of_range("does not have four dimensions; `bninception convert` reads the files of other programs");
  }
  if (entry.elements() == 0) throw std::out_of_range("is empty");
  if (entry.begin != begin) throw std::out_of_range("has wrong offsets");
}

}  // namespace

int64_t SafetensorsEntry::elements() const {
  if (std::ranges::find(dims, 0) != dims.end()) return 0;  // the others may be anything
  int64_t count = 1;
  for (const int64_t dim : dims) count *= dim;
  return count;
}

std::string unsound_value(const std::string& name, std::span<const float> values, ValueKind kind) {
  const auto is_unsound = [&](float value) {
    return kind == ValueKind::kVariance ? !(value >= 0) : !std::isfinite(value);
  };
  const auto unsound = std::ranges::find_if(values, is_unsound);
  return unsound == values.end() ? "" : fmt::format("value {} of '{}' is {}", unsound - values.begin(), name, *unsound);
}

std::vector<int64_t> dims_of(const Shape& shape) { return {shape.n, shape.h, shape.w, shape.c}; }

std::string to_string(const std::vector<int64_t>& dims) {
  return dims.empty() ? "a single value" : fmt::format("{}", fmt::join(dims, "x"));
}

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
    values.resize(static_cast<size_t>(entries[i].elements()));
    read(i, values);
    append(values.data(), data_bytes(entries[i]));
  }
  const std::string digits = checksum.digits();
  file.overwrite(kDigitsOffset, digits.data(), static_cast<int64_t>(digits.size()));
  file.commit();
}

bool is_safetensors_of_ours(std::string_view beginning) { return beginning.find(kPrefix) == size_t{kLengthBytes}; }

SafetensorsFile::SafetensorsFile(std::string path, SafetensorsWriter writer) : path_(std::move(path)), writer_(writer) {
  file_ = open_patiently(path_);
  if (!file_ && (errno == ENOENT || errno == ENOTDIR)) fail(fmt::format("cannot be opened: {}", errno_text(errno)));
  if (!file_) throw_cannot_read();
  struct stat status {};
  if (fstat(file_.get(), &status) != 0) fail(fmt::format("cannot be read: {}", errno_text(errno)));
  if (!S_ISREG(status.st_mode)) fail("is not a file");
  file_bytes_ = status.st_size;
  const std::string header = read_header();
  if (writer_ == SafetensorsWriter::kOwn) require_checksum(header);
  if (header.starts_with(kPrefix)) verify_checksum(header);
  parse_header(header);
}

std::string SafetensorsFile::read_header() {
  uint64_t length = 0;
  if (file_bytes_ < kLengthBytes) fail(fmt::format("is damaged: it ends after {} bytes", file_bytes_));
  read_at(0, &length, kLengthBytes);
  if (length > static_cast<uint64_t>(std::min(file_bytes_ - kLengthBytes, kMaxHeaderBytes))) {
    fail(fmt::format("is damaged, or no checkpoint: a header of {} bytes does not fit into {} bytes", length,
                     file_bytes_));
  }
  std::string header(length, '\0');
  read_at(kLengthBytes, header.data(), static_cast<int64_t>(length));
  data_start_ = kLengthBytes + static_cast<int64_t>(length);
  return header;
}

void SafetensorsFile::require_checksum(const std::string& header) const {
  if (header.starts_with(kPrefix) && header.size() >= kPrefix.size() + kZeroDigits.size()) return;
  fail(
      "is damaged, or was not written by bninception: its header does not start with a checksum; `bninception convert` "
      "reads the files of other programs");
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
    fail(fmt::format("is damaged: its checksum is {}, its contents have {}{}", stored, checksum.digits(),
                     writer_ == SafetensorsWriter::kOwn
                         ? ""
                         : "; a program that changes such a file has to leave the metadata 'checksum' out"));
  }
}

void SafetensorsFile::parse_header(const std::string& header) {
  const bool is_own = writer_ == SafetensorsWriter::kOwn;
  const char* const mistake = is_own ? "was not written by bninception" : "is no valid safetensors file";
  const Json json = Json::parse(header, nullptr, false);
  if (!json.is_object()) fail("is damaged: its header is not JSON");
  for (const auto& [name, value] : json.items()) {
    try {
      if (name == "__metadata__") {
        for (const auto& [key, text] : value.items()) metadata_.emplace_back(key, text.get<std::string>());
        continue;
      }
      SafetensorsEntry entry = parse_entry(name, value, file_bytes_ - data_start_);
      if (is_own) require_own(entry, entries_.empty() ? 0 : entries_.back().end);
      entries_.push_back(std::move(entry));
    } catch (const std::exception& error) {
      fail(fmt::format("{}: '{}' {}", mistake, name, error.what()));
    }
  }
  require_no_gaps();
}

// Each byte of the data belongs to one tensor, as the format wants it: nothing is hidden, nothing is shared.
void SafetensorsFile::require_no_gaps() const {
  std::vector<std::pair<int64_t, int64_t>> ranges;
  for (const SafetensorsEntry& entry : entries_) ranges.emplace_back(entry.begin, entry.end);
  std::ranges::sort(ranges);
  int64_t covered = 0;
  for (const auto& [begin, end] : ranges) {
    if (begin != covered) {
      fail(fmt::format("is no valid safetensors file: its tensors {} at byte {} of the data",
                       begin > covered ? "leave a gap" : "overlap", std::min(begin, covered)));
    }
    covered = end;
  }
  if (data_start_ + covered != file_bytes_) {
    fail(fmt::format("{}: its tensors need {} bytes, it holds {}",
                     writer_ == SafetensorsWriter::kOwn ? "was not written by bninception" : "is damaged", covered,
                     file_bytes_ - data_start_));
  }
}

const std::string* SafetensorsFile::metadata(const std::string& key) const {
  const auto found = std::ranges::find_if(metadata_, [&](const auto& item) { return item.first == key; });
  return found == metadata_.end() ? nullptr : &found->second;
}

std::vector<float> SafetensorsFile::read(const SafetensorsEntry& entry) const {
  std::vector<float> values(static_cast<size_t>(entry.elements()));
  if (entry.type == "F32") {
    read_at(data_start_ + entry.begin, values.data(), entry.end - entry.begin);
    return values;
  }
  std::vector<char> bytes(static_cast<size_t>(entry.end - entry.begin));
  read_at(data_start_ + entry.begin, bytes.data(), entry.end - entry.begin);
  if (entry.type == "F16") {
    convert<uint16_t>(values, bytes, from_half);
  } else if (entry.type == "BF16") {
    convert<uint16_t>(values, bytes, [](uint16_t bits) { return Bfloat16{bits}.to_float(); });
  } else if (entry.type == "F64") {
    convert<double>(values, bytes, [](double value) { return static_cast<float>(value); });
  } else {
    fail(fmt::format("holds '{}' as {}, where F32, F16, BF16 or F64 is needed", entry.name, entry.type));
  }
  return values;
}

void SafetensorsFile::read_at(int64_t offset, void* data, int64_t bytes) const {
  const PatientRead read = read_patiently(file_.get(), data, bytes, offset);
  if (read.failed) throw_cannot_read();
  if (read.bytes < bytes) fail("changed while it was read");
}

void SafetensorsFile::throw_cannot_read() const {
  throw StorageError(fmt::format("cannot read checkpoint '{}': {}", path_, errno_text(errno)));
}

void SafetensorsFile::fail(const std::string& why) const {
  throw CheckpointError(fmt::format("checkpoint '{}' {}", path_, why));
}

}  // namespace bn
