// MNIST's idx files, plain or gzipped, held in memory as raw pixels. Format: big-endian magic 0 0 8 (u8) and the number
// of dimensions, each dimension as 32 bits, then the bytes.
#include <fmt/format.h>
#include <zlib.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <memory>

#include "bn/error.hpp"
#include "data/class_list.hpp"
#include "data/file_reader.hpp"
#include "data/sources.hpp"
#include "data/split.hpp"
#include "system/files.hpp"

namespace bn {
namespace {

struct GzClose {
  void operator()(gzFile file) const { gzclose(file); }
};

// zlib itself tells gzip from plain bytes by content.
class GzReader {
 public:
  explicit GzReader(const std::string& path) : path_(path) {
    const FileReader regular(path);  // or throws: gzopen would wait for a pipe's writer
    file_.reset(gzopen(path.c_str(), "rb"));
    if (!file_) throw_cannot_open(path);
    gzbuffer(file_.get(), kChunk);
  }

  // Appends the next bytes, at most `most`; returns whether there were as many.
  bool read(int64_t most, std::vector<uint8_t>& bytes) {
    const size_t end = bytes.size() + static_cast<size_t>(most);
    for (int failures = 0; bytes.size() < end;) {  // chunk by chunk: most is what a header claims
      const size_t filled = bytes.size(), step = std::min<size_t>(kChunk, end - filled);
      bytes.resize(filled + step);
      const int count = gzread(file_.get(), bytes.data() + filled, static_cast<unsigned>(step));
      const int error = errno;
      int status = Z_OK;
      const char* reason = gzerror(file_.get(), &status);
      if (status == Z_ERRNO) {
        errno = error;
        if (!can_try_again(++failures)) {
          throw StorageError(fmt::format("cannot read {} ({})", path_, errno_text(error)));
        }
        bytes.resize(filled);
        begin_anew();
        continue;
      }
      if (count < 0 || status < 0) {
        throw DataError(fmt::format("{} is a damaged or cut off gzip file ({})", path_, reason));
      }
      bytes.resize(filled + static_cast<size_t>(count));
      given_ += count;
      if (count == 0) return false;
    }
    return true;
  }

 private:
  // After a failure zlib does not know where it is: it goes through the file again, to the next byte.
  void begin_anew() {
    gzclearerr(file_.get());
    gzrewind(file_.get());
    gzseek(file_.get(), given_, SEEK_SET);
  }

  static constexpr unsigned kChunk = 1U << 20;
  const std::string& path_;
  std::unique_ptr<gzFile_s, GzClose> file_;
  int64_t given_ = 0;  // bytes
};

uint32_t big_endian(const uint8_t* bytes) {
  return uint32_t{bytes[0]} << 24 | uint32_t{bytes[1]} << 16 | uint32_t{bytes[2]} << 8 | bytes[3];
}

struct IdxFile {
  std::vector<int64_t> dimensions{};
  std::vector<uint8_t> bytes{};  // header included
  int64_t header = 0;
};

IdxFile read_idx(const std::string& path, int dimensions, const char* content) {
  IdxFile file{.header = 4 + 4 * int64_t{dimensions}};
  GzReader reader(path);
  if (!reader.read(file.header, file.bytes)) {
    throw DataError(fmt::format("{} is cut off: {} bytes do not hold an idx header", path, file.bytes.size()));
  }
  const uint32_t expected_magic = 0x0800U + static_cast<uint32_t>(dimensions);
  const uint32_t magic = big_endian(file.bytes.data());
  if (magic != expected_magic) {
    throw DataError(fmt::format("{} is not an idx file of {}: it begins with {:#010x}, not {:#010x}", path, content,
                                magic, expected_magic));
  }
  constexpr int64_t kMost = int64_t{1} << 31;  // a product below it, of a factor below 2^32, cannot overflow
  int64_t elements = 1;
  for (int i = 0; i < dimensions; ++i) {
    file.dimensions.push_back(big_endian(file.bytes.data() + 4 + 4 * i));
    elements = std::min(elements * file.dimensions.back(), kMost);
  }
  if (elements == kMost) {
    throw DataError(
        fmt::format("{} is damaged or too large: its header announces at least {} bytes of {}", path, kMost, content));
  }
  // One byte more tells whether it goes on: a small gzip file can hold gigabytes.
  const bool goes_on = reader.read(elements + 1, file.bytes);
  const int64_t follow = static_cast<int64_t>(file.bytes.size()) - file.header;
  if (goes_on || follow != elements) {
    throw DataError(fmt::format("{} is {}: its header announces {} bytes of {}, {} follow", path,
                                goes_on ? "too long" : "cut off", elements, content,
                                goes_on ? "more" : std::to_string(follow)));
  }
  return file;
}

class MnistDataset final : public Dataset {
 public:
  MnistDataset(const std::vector<std::string>& paths, const DataOptions& options)
      : images_(read_idx(paths[0], 3, "images")), name_(std::filesystem::path(paths[0]).filename().string()) {
    const IdxFile labels = read_idx(paths[1], 1, "labels");
    const int64_t count = images_.dimensions[0];
    height_ = images_.dimensions[1];
    width_ = images_.dimensions[2];
    if (labels.dimensions[0] != count) {
      throw DataError(
          fmt::format("{} has {} images, but {} has {} labels", paths[0], count, paths[1], labels.dimensions[0]));
    }
    if (count == 0 || height_ == 0 || width_ == 0) throw DataError(fmt::format("no images found in {}", paths[0]));
    if ((height_ == 1) != (width_ == 1)) {
      throw DataError(
          fmt::format("{} holds images of {} x {} pixels: write each as rows and columns, not as one row of all pixels",
                      paths[0], height_, width_));
    }
    const ClassList classes = list_classes(options);
    class_names_ = classes.names();
    read_labels(labels, paths[1]);
    if (!options.classes.empty()) classes.check_none_empty(labels_, paths[1]);
    if (options.classes_limit == 0) return;
    if (options.classes_limit > classes.size()) {
      throw DataError(
          fmt::format("classes_limit is {}, but there are {} classes", options.classes_limit, classes.size()));
    }
    class_names_.resize(static_cast<size_t>(options.classes_limit));
  }

  int64_t size() const override { return static_cast<int64_t>(labels_.size()); }
  int32_t label(int64_t index) const override { return labels_[static_cast<size_t>(index)]; }
  std::string name(int64_t index) const override { return fmt::format("{}:{}", name_, index); }
  const std::vector<std::string>& class_names() const override { return class_names_; }

  Sample read(int64_t index, std::vector<uint8_t>&) const override {
    const int64_t bytes = height_ * width_;
    return {.data = images_.bytes.data() + images_.header + index * bytes,
            .bytes = bytes,
            .raw_height = height_,
            .raw_width = width_,
            .raw_channels = 1};
  }

 private:
  static ClassList list_classes(const DataOptions& options) {
    if (!options.classes.empty()) return read_class_file(resolve_data_path(options.classes), 0);
    return ClassList({"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"}, "the digits");
  }

  void read_labels(const IdxFile& file, const std::string& path) {
    const auto begin = file.bytes.begin() + file.header;
    labels_.assign(begin, file.bytes.end());
    const auto classes = static_cast<int32_t>(class_names_.size());
    const auto wrong = std::ranges::find_if(labels_, [&](int32_t label) { return label >= classes; });
    if (wrong == labels_.end()) return;
    throw DataError(fmt::format("{} gives image {} the label {}, but there are {} classes", path,
                                wrong - labels_.begin(), *wrong, classes));
  }

  IdxFile images_;
  std::string name_;
  int64_t height_ = 0, width_ = 0;
  std::vector<int32_t> labels_;
  std::vector<std::string> class_names_;
};

}  // namespace

std::unique_ptr<Dataset> open_mnist(const DataOptions& options, Split split) {
  auto images =
      std::make_unique<MnistDataset>(split_paths(options, split, 2, "a file of images and a file of labels"), options);
  if (options.classes_limit == 0) return images;
  std::vector<int64_t> kept;
  for (int64_t i = 0; i < images->size(); ++i) {
    if (images->label(i) < options.classes_limit) kept.push_back(i);
  }
  return select_images(std::move(images), std::move(kept));
}

}  // namespace bn
