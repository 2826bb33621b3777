#include "packing/imagenet.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <boost/uuid/detail/md5.hpp>
#include <charconv>
#include <filesystem>
#include <sstream>
#include <string_view>

#include "bn/error.hpp"
#include "data/placed_images.hpp"
#include "system/files.hpp"

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

[[noreturn]] void refuse(const std::string& archive, const std::string& member, const char* expected) {
  throw DataError(fmt::format("{} holds '{}', which does not belong into the official archive: expected {}", archive,
                              member, expected));
}

void add_class(const TarMember& tar, const ClassList& classes, PlacedImages& images) {
  const FileReader& archive = images.tar(0);
  const std::filesystem::path path(tar.path);
  if (path.extension() != ".tar") refuse(archive.path(), tar.path, "a tar for each class, nXXXXXXXX.tar");
  const int32_t label = classes.find(path.stem().string());
  if (label < 0) return images.omitted.add(tar.path + " (a class that is not listed)");
  for (const TarMember& image : list_tar_inside(archive, tar, &images.omitted)) {
    images.add(0, image, path.filename().string() + ":" + image.path, label);
  }
}

// The number N of "ILSVRC2012_val_N.JPEG", with eight digits; 0 of another name.
size_t validation_number(const std::string& path) {
  constexpr std::string_view kBegin = "ILSVRC2012_val_", kEnd = ".JPEG";
  constexpr size_t kDigits = 8;
  const std::string name = std::filesystem::path(path).filename().string();
  size_t number = 0;
  if (name.size() != kBegin.size() + kDigits + kEnd.size() || !name.starts_with(kBegin)) return 0;
  const char* digits = name.data() + kBegin.size();
  return std::from_chars(digits, digits + kDigits, number).ptr == digits + kDigits && name.ends_with(kEnd) ? number : 0;
}

void add_validation_images(const std::vector<TarMember>& members, const ClassList& classes, PlacedImages& images) {
  const auto& labels = imagenet_validation_labels();
  std::vector<bool> is_there(labels.size() + 1);
  int64_t unlisted = 0;
  for (const TarMember& image : members) {
    const size_t number = validation_number(image.path);
    if (number < 1 || number > labels.size()) {
      refuse(images.tar(0).path(), image.path, "ILSVRC2012_val_00000001.JPEG to _00050000.JPEG");
    }
    if (is_there[number]) refuse(images.tar(0).path(), image.path, "one image of each number");
    is_there[number] = true;
    const int32_t label = classes.find(imagenet_classes()[static_cast<size_t>(labels[number - 1])].name);
    label >= 0 ? images.add(0, image, image.path, label) : static_cast<void>(++unlisted);
  }
  if (unlisted == 0) return;
  images.omitted.add(fmt::format("{} images of classes that are not listed", unlisted));
  images.omitted.count += unlisted - 1;
}

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
  auto images = std::make_unique<PlacedImages>();
  images->classes = classes.names();
  images->open_tar(path);
  const std::vector<TarMember> members = list_tar(images->tar(0), &images->omitted);
  if (split == Split::kTrain) {
    for (const TarMember& member : members) add_class(member, classes, *images);
  } else {
    add_validation_images(members, classes, *images);
  }
  if (images->size() == 0) {
    throw DataError(fmt::format("no images found in {}: none of its members belongs to one of the {} classes", path,
                                classes.size()));
  }
  return images;
}

std::string md5_of_file(const std::string& path, const std::function<void(int64_t)>& progress) {
  constexpr int64_t kStep = 1 << 22;
  const FileReader file(path);
  std::vector<uint8_t> bytes(kStep);
  boost::uuids::detail::md5 sum;
  for (int64_t done = 0; done < file.size();) {
    const int64_t count = std::min(kStep, file.size() - done);
    file.read(done, count, bytes.data());
    sum.process_bytes(bytes.data(), static_cast<size_t>(count));
    done += count;
    progress(done);
  }
  boost::uuids::detail::md5::digest_type digest;
  sum.get_digest(digest);
  std::string text;  // of words or, from Boost 1.86 on, of bytes
  for (const auto part : digest) text += fmt::format("{:0{}x}", part, 2 * sizeof(part));
  return text;
}

}  // namespace bn
