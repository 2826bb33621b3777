#include "packing/tar_writer.hpp"

#include <fmt/format.h>
#include <xxhash.h>

#include <algorithm>
#include <array>

namespace bn {
namespace {

constexpr int64_t kHeaderBytes = 512;
using Header = std::array<char, kHeaderBytes>;

void put(Header& block, size_t offset, const std::string& text) {
  std::ranges::copy(text, block.begin() + static_cast<int64_t>(offset));
}

struct Name {
  std::string prefix, rest;
};

// The part before the extension is shortened by a rule that sees that part alone, so the files of a key stay together.
Name split_name(const std::string& name) {
  constexpr size_t kRestBytes = 100, kPrefixBytes = 155, kExtension = 5;  // ".webp"
  if (name.size() <= kRestBytes - kExtension) return {.prefix = "", .rest = name};
  const size_t dot = name.find('.', name.size() - kExtension);
  const std::string key = name.substr(0, dot), extension = dot == std::string::npos ? "" : name.substr(dot);
  if (key.size() <= kRestBytes - kExtension) return {.prefix = "", .rest = name};
  const size_t slash = key.find('/', key.size() - (kRestBytes - kExtension) - 1);
  if (slash != std::string::npos && slash > 0 && slash <= kPrefixBytes) {
    return {.prefix = name.substr(0, slash), .rest = name.substr(slash + 1)};
  }
  const std::string ending = fmt::format("-{:016x}", XXH3_64bits(key.data(), key.size()));
  return {.prefix = "", .rest = key.substr(0, kRestBytes - kExtension - ending.size()) + ending + extension};
}

Header header_of(const std::string& path, int64_t size) {
  const Name name = split_name(path);
  Header block{};
  put(block, 0, name.rest);
  put(block, 100, "0000644");
  put(block, 108, "0000000");
  put(block, 116, "0000000");
  put(block, 124, fmt::format("{:011o}", size));
  put(block, 136, "00000000000");
  put(block, 148, "        ");
  put(block, 156, "0");
  put(block, 257, "ustar");
  put(block, 263, "00");
  put(block, 345, name.prefix);
  unsigned sum = 0;
  for (const char byte : block) sum += static_cast<uint8_t>(byte);
  put(block, 148, fmt::format("{:06o}", sum));
  block[154] = '\0';
  return block;
}

}  // namespace

TarWriter::TarWriter(const std::string& path) : file_(path) {}

int64_t TarWriter::append(const std::string& name, const uint8_t* bytes, int64_t size) {
  static constexpr std::array<uint8_t, kHeaderBytes> kZeros{};
  const Header header = header_of(name, size);
  write(reinterpret_cast<const uint8_t*>(header.data()), kHeaderBytes);
  const int64_t offset = position_;
  write(bytes, size);
  write(kZeros.data(), (kHeaderBytes - size % kHeaderBytes) % kHeaderBytes);
  return offset;
}

TarWriter::Result TarWriter::finish() {
  constexpr std::array<uint8_t, 2 * kHeaderBytes> kEnd{};
  write(kEnd.data(), kEnd.size());
  flush();
  file_.commit();
  return {.bytes = position_, .checksum = sum_.value()};
}

void TarWriter::write(const uint8_t* bytes, int64_t size) {
  constexpr size_t kBuffer = 1 << 20;
  sum_.add(bytes, size);
  buffer_.insert(buffer_.end(), bytes, bytes + size);
  position_ += size;
  if (buffer_.size() >= kBuffer) flush();
}

void TarWriter::flush() {
  file_.append(buffer_.data(), static_cast<int64_t>(buffer_.size()));
  buffer_.clear();
}

}  // namespace bn
