#include "packing/imagenet.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <sstream>
#include <string_view>

#include "bn/error.hpp"
#include "core/files.hpp"
#include "data/file_reader.hpp"
#include "data/tar.hpp"
#include "packing/md5.hpp"

// The two lists, included in the program unchanged.
__asm__(
    ".pushsection .rodata\n"
    "kImagenetClassesText: .incbin \"" BN_IMAGENET_FOLDER
    "/classes.txt\"\n.byte 0\n"
    "kImagenetLabelsText: .incbin \"" BN_IMAGENET_FOLDER
    "/validation_labels.txt\"\n.byte 0\n"
    ".popsection\n");
extern "C" const char kImagenetClassesText[];  // NOLINT(modernize-avoid-c-arrays)
extern "C" const char kImagenetLabelsText[];   // NOLINT(modernize-avoid-c-arrays)

namespace bn {
namespace {

class ImagenetArchiveDataset final : public Dataset {
 public:
  ImagenetArchiveDataset(const std::string& path, Split split, const ClassList& classes)
      : file_(path), class_names_(classes.names()) {
    for (const TarMember& member : list_tar(file_)) {
      split == Split::kTrain ? add_class(member, classes) : add_validation_image(member, classes);
    }
    if (places_.empty()) {
      throw DataError(fmt::format("no images found in {}: none of its members belongs to one of the {} classes",
                                  file_.path(), classes.size()));
    }
  }

  int64_t size() const override { return static_cast<int64_t>(places_.size()); }
  int64_t stored_bytes(int64_t index) const override { return places_[static_cast<size_t>(index)].bytes; }
  int32_t label(int64_t index) const override { return places_[static_cast<size_t>(index)].label; }
  const std::vector<std::string>& class_names() const override { return class_names_; }

  std::string name(int64_t index) const override {
    const auto archive = std::filesystem::path(file_.path()).filename().string();
    return fmt::format("{}:{}", archive, names_.c_str() + places_[static_cast<size_t>(index)].name);
  }

  Sample read(int64_t index, std::vector<uint8_t>& storage) const override {
    const Place& place = places_[static_cast<size_t>(index)];
    storage.resize(static_cast<size_t>(place.bytes));
    file_.read(place.offset, place.bytes, storage.data());
    return {.data = storage.data(), .bytes = place.bytes};
  }

 private:
  struct Place {
    int64_t offset, bytes;
    size_t name;  // an offset in names_
    int32_t label;
  };

  [[noreturn]] void fail(const std::string& member, const char* expected) const {
    throw DataError(fmt::format("{} holds '{}', which does not belong into the official archive: expected {}",
                                file_.path(), member, expected));
  }

  void add_class(const TarMember& tar, const ClassList& classes) {
    const std::filesystem::path path(tar.path);
    if (path.extension() != ".tar") fail(tar.path, "a tar for each class, nXXXXXXXX.tar");
    const int32_t label = classes.find(path.stem().string());
    if (label < 0) return;
    for (const TarMember& image : list_tar_inside(file_, tar)) add(image, path.filename().string() + ":", label);
  }

  void add_validation_image(const TarMember& image, const ClassList& classes) {
    constexpr std::string_view kBegin = "ILSVRC2012_val_";
    const std::string name = std::filesystem::path(image.path).filename().string();
    const auto& labels = imagenet_validation_labels();
    size_t number = 0;
    if (name.starts_with(kBegin)) {
      std::from_chars(name.data() + kBegin.size(), name.data() + name.size(), number);
    }
    if (number < 1 || number > labels.size()) fail(image.path, "ILSVRC2012_val_00000001.JPEG to _00050000.JPEG");
    const auto official = static_cast<size_t>(labels[number - 1]);
    const int32_t label = classes.find(imagenet_classes()[official].name);
    if (label >= 0) add(image, "", label);
  }

  void add(const TarMember& image, const std::string& before, int32_t label) {
    places_.push_back({.offset = image.offset, .bytes = image.size, .name = names_.size(), .label = label});
    const std::string name = before + image.path;
    names_.append(name.c_str(), name.size() + 1);
  }

  FileReader file_;
  std::vector<Place> places_;
  std::string names_;  // each closed by a zero: one allocation instead of a million
  std::vector<std::string> class_names_;
};

}  // namespace

const std::vector<ImagenetClass>& imagenet_classes() {
  static const std::vector<ImagenetClass> kClasses = [] {
    std::vector<ImagenetClass> list;
    std::istringstream lines{std::string(kImagenetClassesText)};
    for (ImagenetClass one;
         lines >> one.name >> one.training_images && std::getline(lines >> std::ws, one.description);) {
      list.push_back(one);
    }
    return list;
  }();
  return kClasses;
}

const std::vector<int32_t>& imagenet_validation_labels() {
  static const std::vector<int32_t> kLabels = [] {
    std::vector<int32_t> list;
    std::istringstream numbers{std::string(kImagenetLabelsText)};
    for (int32_t label = 0; numbers >> label;) list.push_back(label);
    return list;
  }();
  return kLabels;
}

ImagenetArchive imagenet_archive(Split split) {
  if (split == Split::kTrain) return {.bytes = 147897477120, .md5 = "1d675b47d978889d74fa0da5fadfb00e"};
  return {.bytes = 6744924160, .md5 = "29b22e2961454d5413ddabcf34fc5622"};
}

Origin check_archive(const std::string& path, const ImagenetArchive& official, const std::string& note,
                     const std::function<void(int64_t)>& progress) {
  namespace fs = std::filesystem;
  if (static_cast<int64_t>(fs::file_size(path)) != official.bytes) return Origin::kAny;
  const std::string text = fmt::format("{} {} {}\n", official.md5, fs::absolute(path).string(),
                                       fs::last_write_time(path).time_since_epoch().count());
  std::string present;
  if (read_file(note, present) == ReadResult::kRead && present == text) return Origin::kOfficialImageNet;
  const std::string md5 = md5_of_file(path, progress);
  if (md5 != official.md5) {
    throw DataError(fmt::format("{} is damaged: its MD5 is {}, the official archive's {}; download it again", path, md5,
                                official.md5));
  }
  fs::create_directories(fs::path(note).parent_path());
  write_file(note, text);
  return Origin::kOfficialImageNet;
}

std::unique_ptr<Dataset> open_imagenet_archive(const std::string& path, Split split, const ClassList& classes) {
  return std::make_unique<ImagenetArchiveDataset>(path, split, classes);
}

std::string md5_of_file(const std::string& path, const std::function<void(int64_t)>& progress) {
  constexpr int64_t kStep = 1 << 22;
  const FileReader file(path);
  std::vector<uint8_t> bytes(kStep);
  Md5 sum;
  for (int64_t done = 0; done < file.size();) {
    const int64_t count = std::min(kStep, file.size() - done);
    file.read(done, count, bytes.data());
    sum.add(bytes.data(), count);
    done += count;
    progress(done);
  }
  return sum.hex();
}

}  // namespace bn
