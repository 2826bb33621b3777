#include "data/placed_images.hpp"

#include <fmt/format.h>

#include <filesystem>
#include <string_view>

#include "bn/error.hpp"
#include "system/files.hpp"

namespace bn {

void PlacedImages::begin_files(const std::string& path) { sources_.push_back({.path = path, .tar = std::nullopt}); }

void PlacedImages::add(const std::string& file, int32_t label) { add(sources_.size() - 1, TarMember{}, file, label); }

size_t PlacedImages::open_tar(const std::string& path) {
  const std::string file = std::filesystem::path(path).filename().string();
  sources_.push_back({.path = file + ":", .tar = FileReader(path)});
  return sources_.size() - 1;
}

void PlacedImages::add(size_t tar, const TarMember& member, const std::string& name, int32_t label) {
  places_.push_back({.name = names_.size(), .source = tar, .offset = member.offset, .bytes = member.size});
  names_.append(name.c_str(), name.size() + 1);
  labels.push_back(label);
  ++sources_[tar].images;
}

std::string PlacedImages::name(int64_t index) const {
  return source(index).path + (names_.c_str() + place(index).name);
}

std::string PlacedImages::name_in_set(int64_t index) const {
  return source(index).tar ? name(index) : names_.c_str() + place(index).name;
}

// A name may hold colons; one that follows ".tar" ends the name of a tar within the tar.
std::string PlacedImages::file_name(int64_t index) const {
  constexpr std::string_view kInnerTar = ".tar:";
  const std::string name = names_.c_str() + place(index).name, file = name.substr(name.rfind('/') + 1);
  const size_t inner = source(index).tar ? file.rfind(kInnerTar) : std::string::npos;
  return inner == std::string::npos ? file : file.substr(inner + kInnerTar.size());
}

int64_t PlacedImages::stored_bytes(int64_t index) const {
  if (source(index).tar) return place(index).bytes;
  std::error_code error;
  const auto bytes = std::filesystem::file_size(name(index), error);
  if (!error) return static_cast<int64_t>(bytes);
  if (tells_of_the_file(error.value())) return 0;  // reading it will report the failure
  throw StorageError(fmt::format("cannot read {} ({})", name(index), error.message()));
}

uint64_t PlacedImages::content_digest(int64_t index, int64_t most, int64_t parts) const {
  const Place& at = place(index);
  if (source(index).tar) return bn::content_digest(*source(index).tar, at.offset, at.bytes, most, parts);
  const FileReader file(name(index));
  return bn::content_digest(file, 0, file.size(), most, parts);
}

std::vector<int64_t> PlacedImages::shard_sizes() const {
  std::vector<int64_t> sizes;
  for (const Source& source : sources_) sizes.push_back(source.images);
  return sizes;
}

Dataset::Sample PlacedImages::read(int64_t index, std::vector<uint8_t>& storage) const {
  storage.clear();
  if (const auto& tar = source(index).tar) {
    storage.resize(static_cast<size_t>(place(index).bytes));
    tar->read(place(index).offset, place(index).bytes, storage.data());
  } else {
    read_whole_file(name(index), storage);
  }
  return {.data = storage.data(), .bytes = static_cast<int64_t>(storage.size())};
}

}  // namespace bn
