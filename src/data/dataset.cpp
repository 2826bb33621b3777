#include <fmt/format.h>
#include <xxhash.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <filesystem>

#include "bn/dataset.hpp"
#include "bn/error.hpp"
#include "data/sources.hpp"
#include "data/split.hpp"
#include "system/checksum.hpp"
#include "system/files.hpp"
#include "system/text.hpp"

namespace bn {

namespace {

constexpr size_t kMostNames = 10;

bool is_photo_in_other_format(const std::string& name) {
  const std::string extension = lower_case(std::filesystem::path(name).extension().string());
  return extension == ".heic" || extension == ".heif" || extension == ".avif" || extension == ".gif";
}

// "a.tar:x/1.jpg" -> "1.jpg"
std::string after_folders(const std::string& name) { return name.substr(name.find_last_of("/:") + 1); }

std::string digits_of_contents(const Dataset& set, int64_t most, int64_t parts) {
  Checksum sum;
  for (int64_t i = 0; i < set.size(); ++i) {
    uint64_t key = 0;  // of an image that cannot be read; training will say why
    try {
      key = set.content_digest(i, most, parts);
    } catch (const DataError&) {
    }
    sum.add(&key, sizeof key);
  }
  return sum.digits();
}

enum class FingerprintForm { kEarlier, kOfNow };

std::string fingerprint(const Dataset& set, FingerprintForm form) {
  constexpr int64_t kMostSizes = 200'000;  // each may ask the file system
  constexpr int64_t kMostToRead = int64_t{2} << 30, kMuch = 1 << 18, kLittle = 1 << 16;
  const bool sizes_are_asked = set.size() <= kMostSizes;
  int64_t little = sizes_are_asked || set.recorded_checksum(0) ? 0 : kMostToRead + 1, much = little;  // to be read
  Checksum sum;
  for (int64_t i = 0; i < set.size(); ++i) {
    const std::string file = after_folders(set.name(i));  // a set may move
    const int64_t bytes = sizes_are_asked ? set.stored_bytes(i) : 0;
    const int64_t numbers[] = {set.label(i), bytes};
    sum.add(file.c_str(), static_cast<int64_t>(file.size()) + 1);
    sum.add(numbers, sizeof numbers);
    if (set.recorded_checksum(i)) continue;
    little += std::min(bytes, kLittle);
    much += std::min(bytes, kMuch);
  }
  if (little > kMostToRead) return sum.digits();
  if (form == FingerprintForm::kEarlier) {
    return sum.digits() + "-" + digits_of_contents(set, Dataset::kKeyBytes, Dataset::kKeyParts);
  }
  const int64_t most = much > kMostToRead ? kLittle : kMuch;
  constexpr int64_t kParts = 8;
  return sum.digits() + (much > little ? "-2-" : "-") + digits_of_contents(set, most, kParts);
}

std::unique_ptr<Dataset> open_files(const DataOptions& options, Split split) {
  switch (options.kind) {
    case DatasetKind::kShapes:
      return open_shapes(options, split);
    case DatasetKind::kMnist:
      return open_mnist(options, split);
    case DatasetKind::kFolder:
      return open_folder(options, split);
    case DatasetKind::kTar:
      return open_tars(options, split);
    case DatasetKind::kPacked:
      return open_packed(options, split);
  }
  throw DataError("unknown kind of data set");
}

}  // namespace

void LeftOut::add(const std::string& name) {
  if (names.size() < kMostNames) names.push_back(name);
  if (is_photo_in_other_format(name)) ++photos;
  ++count;
}

void LeftOut::add(const LeftOut& more) {
  for (const std::string& name : more.names) {
    if (names.size() < kMostNames) names.push_back(name);
  }
  photos += more.photos;
  count += more.count;
}

std::string LeftOut::list() const {
  const int64_t unnamed = count - static_cast<int64_t>(names.size());
  return fmt::format(
      "{}{}{}", fmt::join(names, ", "), unnamed > 0 ? fmt::format(" and {} more", unnamed) : "",
      photos > 0 ? fmt::format("; {} of them HEIC, AVIF or GIF: convert these to JPEG first", photos) : "");
}

std::string Dataset::file_name(int64_t index) const { return after_folders(name(index)); }

std::string fingerprint(const Dataset& set) { return fingerprint(set, FingerprintForm::kOfNow); }
std::string earlier_fingerprint(const Dataset& set) { return fingerprint(set, FingerprintForm::kEarlier); }

uint64_t Dataset::content_digest(int64_t index, int64_t, int64_t) const {
  std::vector<uint8_t> storage;
  const Sample sample = read(index, storage);
  return XXH3_64bits(sample.data, static_cast<size_t>(sample.bytes));
}

std::string resolve_data_path(const std::string& path) {
  if (path.empty()) throw DataError("a data path is empty");
  if (std::filesystem::path(path).is_absolute()) return path;
  const char* root = std::getenv("BN_DATA_ROOT");
  if (root == nullptr || *root == '\0') {
    throw DataError(
        fmt::format("the data path '{}' is relative and BN_DATA_ROOT is not set; set it to the folder that holds the "
                    "data sets (export BN_DATA_ROOT=/path/to/data) or give an absolute path",
                    path));
  }
  return (std::filesystem::path(root) / path).string();
}

std::vector<std::string> split_paths(const DataOptions& options, Split split, size_t count, const char* expected) {
  const bool training = split == Split::kTrain;
  const auto& paths = training ? options.train : options.validation;
  if (paths.empty() || (count > 0 && paths.size() != count)) {
    throw DataError(fmt::format("the {} set needs {}, but {} paths are given", training ? "training" : "validation",
                                expected, paths.size()));
  }
  std::vector<std::string> resolved;
  for (const auto& path : paths) resolved.push_back(resolve_data_path(path));
  return resolved;
}

void throw_cannot_open(const std::string& path) {
  const int error = errno;
  const std::string message = fmt::format("cannot open {} ({})", path, errno_text(error));
  if (!tells_of_the_file(error)) throw StorageError(message);
  throw DataError(message);
}

std::unique_ptr<Dataset> open_dataset(const DataOptions& options, Split split) {
  std::unique_ptr<Dataset> dataset = options.split.validation > 0
                                         ? part_of(open_files(options, Split::kTrain), options, split)
                                         : open_files(options, split);
  const bool is_cached =
      options.cache == Cache::kDecoded || (options.cache == Cache::kShrunk && split == Split::kTrain);
  return is_cached ? cache_decoded(std::move(dataset), options) : std::move(dataset);
}

}  // namespace bn
