#include "packing/verify.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <mutex>

#include "bn/error.hpp"
#include "data/class_list.hpp"
#include "data/file_reader.hpp"
#include "data/parallel.hpp"
#include "data/tar.hpp"
#include "packing/image_packer.hpp"
#include "packing/imagenet.hpp"
#include "system/checksum.hpp"
#include "system/files.hpp"

namespace bn {
namespace {

uint64_t checksum_of_file(const FileReader& file) {
  constexpr int64_t kStep = 1 << 20;
  std::vector<uint8_t> bytes(kStep);
  Checksum sum;
  for (int64_t done = 0; done < file.size(); done += kStep) {
    const int64_t count = std::min(kStep, file.size() - done);
    file.read(done, count, bytes.data());
    sum.add(bytes.data(), count);
  }
  return sum.value();
}

// One split's index, and the place where the images of each shard begin in it.
struct Half {
  Split split;
  PackedIndex index;
  std::vector<size_t> first_image;  // each shard's, and the number of all images

  Half(Split which, PackedIndex from) : split(which), index(std::move(from)), first_image(index.shards.size() + 1) {
    for (const PackedImage& image : index.images) ++first_image[image.shard + size_t{1}];
    for (size_t i = 1; i < first_image.size(); ++i) first_image[i] += first_image[i - 1];
  }
};

class Verifier {
 public:
  Verifier(std::string folder, Depth depth, int64_t workers, const std::function<void(const PackProgress&)>& progress)
      : folder_(std::move(folder)), depth_(depth), workers_(workers), report_progress_(progress) {}

  VerifyReport run() {
    for (const Split split : {Split::kTrain, Split::kValidation}) read_half(split);
    if (halves_.empty() && report_.problems.empty()) {
      throw DataError(fmt::format("{} holds no packed set: neither {} nor {} is there", folder_,
                                  index_path(folder_, Split::kTrain), index_path(folder_, Split::kValidation)));
    }
    read_classes();
    for (const Half& half : halves_) progress_.total += static_cast<int64_t>(half.index.images.size());
    for (const Half& half : halves_) check_half(half);
    if (halves_.size() == 2) find_duplicates();
    const auto before = [](const Finding& a, const Finding& b) { return a.message < b.message; };
    std::ranges::sort(report_.problems, before);
    std::ranges::sort(report_.notes, before);
    return std::move(report_);
  }

 private:
  void problem(const char* kind, std::string message) {
    const std::lock_guard lock(mutex_);
    report_.problems.push_back({.kind = kind, .message = std::move(message)});
  }

  void read_half(Split split) {
    const std::string path = index_path(folder_, split);
    if (!std::filesystem::exists(path)) {
      if (!has_shards(split)) return;
      return problem("index", fmt::format("{} is missing, but there are shards; was packing interrupted?", path));
    }
    try {
      halves_.emplace_back(split, read_index(path));
    } catch (const Error& error) {
      problem("index", error.what());
    }
  }

  // True if there are whole shards or notes of them: FOLDER/train-*.
  bool has_shards(Split split) const {
    const FolderContents contents = read_folder(folder_);  // empty where there is no such folder
    return std::ranges::any_of(contents.entries, [&](const std::filesystem::directory_entry& entry) {
      const std::string name = entry.path().filename().string();
      return name.starts_with(split_name(split) + "-") && (name.ends_with(".tar") || name.ends_with(".part"));
    });
  }

  void read_classes() {
    std::string text;
    if (read_file(classes_path(folder_), text) == ReadResult::kMissing) {
      return problem("classes", fmt::format("{} is missing", classes_path(folder_)));
    }
    const uint64_t sum = checksum_of(text);
    for (const Half& half : halves_) {
      if (half.index.class_checksum == sum) continue;
      problem("classes", fmt::format("{} is not the file that the {} set was packed with: its checksum is wrong",
                                     classes_path(folder_), split_name(half.split)));
    }
    try {
      classes_ = read_class_file(classes_path(folder_), 0).names();
    } catch (const DataError& error) {
      problem("classes", error.what());
    }
  }

  void check_half(const Half& half) {
    SplitReport split{.split = half.split,
                      .images = static_cast<int64_t>(half.index.images.size()),
                      .shards = static_cast<int64_t>(half.index.shards.size()),
                      .traits = count_traits(half.index)};
    for (const PackedShard& shard : half.index.shards) split.bytes += static_cast<int64_t>(shard.bytes);
    std::vector<int64_t> per_class(classes_.size());
    int64_t outside = 0;
    for (const PackedImage& image : half.index.images) {
      const auto label = static_cast<size_t>(image.label);
      label < per_class.size() ? ++per_class[label] : ++outside;
    }
    if (outside > 0) {
      problem("label", fmt::format("{} images of the {} set have a label beyond the {} classes", outside,
                                   split_name(half.split), classes_.size()));
    }
    split.classes_present = static_cast<int64_t>(classes_.size()) - std::ranges::count(per_class, int64_t{0});
    compare_counts(half, per_class);
    report_.splits.push_back(split);
    parallel_for(split.shards, workers_, [&] {
      return [&, packer = std::make_shared<ImagePacker>(PackOptions{})](int64_t shard) {
        try {
          check_shard(half, shard, *packer);
        } catch (const Error& error) {  // not there, not readable, no tar
          problem("shard", error.what());
        }
        add_progress(half.first_image[static_cast<size_t>(shard) + 1] - half.first_image[static_cast<size_t>(shard)]);
      };
    });
  }

  void add_progress(size_t images) {
    const std::lock_guard lock(mutex_);
    progress_.images += static_cast<int64_t>(images);
    report_progress_(progress_);
  }

  // Differences are problems only where the archive was proved to be the official one.
  void compare_counts(const Half& half, const std::vector<int64_t>& per_class) {
    const bool official = half.index.origin == Origin::kOfficialImageNet;
    for (const ImagenetClass& known : imagenet_classes()) {
      const auto at = std::ranges::find(classes_, known.name);
      if (!official || at == classes_.end()) continue;
      const int64_t expected = half.split == Split::kTrain ? known.training_images : kImagenetValidationImagesPerClass;
      const int64_t found = per_class[static_cast<size_t>(at - classes_.begin())];
      if (found == expected) continue;
      problem("count", fmt::format("class {} of the {} set has {} images, not the official {}", known.name,
                                   split_name(half.split), found, expected));
    }
  }

  void check_shard(const Half& half, int64_t number, ImagePacker& packer) {
    const FileReader file(shard_path(folder_, half.split, number));
    const PackedShard& expected = half.index.shards[static_cast<size_t>(number)];
    const size_t begin = half.first_image[static_cast<size_t>(number)];
    const std::vector<PackedImage> images(
        half.index.images.begin() + static_cast<int64_t>(begin),
        half.index.images.begin() + static_cast<int64_t>(half.first_image[static_cast<size_t>(number) + 1]));
    const bool sized = static_cast<uint64_t>(file.size()) == expected.bytes;
    const bool sound = sized && checksum_of_file(file) == expected.checksum;
    if (!sized) {
      problem("shard",
              fmt::format("{} has {} bytes, not the {} it was packed with", file.path(), file.size(), expected.bytes));
    } else if (!sound) {
      problem("shard", fmt::format("{} has changed: its checksum is wrong", file.path()));
    }
    check_images(file, images, sound, half.index.decoded_size, packer);
    check_structure(file, images);
  }

  void check_images(const FileReader& file, const std::vector<PackedImage>& images, bool sound, uint32_t decoded_size,
                    ImagePacker& packer) {
    if (sound && depth_ == Depth::kChecksums) return;  // its images are under the shard's checksum too
    std::vector<uint8_t> bytes;
    for (const PackedImage& image : images) {
      const auto size = static_cast<uint64_t>(file.size());
      if (image.offset > size || image.bytes > size - image.offset) continue;  // cut off, as was said of the shard
      const auto offset = static_cast<int64_t>(image.offset);
      bytes.resize(image.bytes);
      file.read(offset, image.bytes, bytes.data());
      const auto name = [&] { return fmt::format("{}:{}", file.path(), member_name(file, offset)); };
      if (checksum_of(bytes.data(), image.bytes) != image.checksum) {
        problem("image", fmt::format("{} has changed: its checksum is wrong", name()));
      } else if (depth_ == Depth::kDecode && decoded_size == 0) {
        decode(bytes, image, name, packer);
      }
    }
  }

  void decode(const std::vector<uint8_t>& bytes, const PackedImage& image, const std::function<std::string()>& name,
              ImagePacker& packer) {
    try {
      const Inspection found = packer.inspect(bytes.data(), static_cast<int64_t>(bytes.size()));
      if (found.height == image.height && found.width == image.width) return;
      problem("decode", fmt::format("{} has {} x {} pixels, not the {} x {} of the index", name(), found.width,
                                    found.height, image.width, image.height));
    } catch (const DataError& error) {
      problem("decode", fmt::format("{} cannot be decoded: {}", name(), error.what()));
    }
  }

  // Members come in pairs: an image where the index says, and its label.
  void check_structure(const FileReader& file, const std::vector<PackedImage>& images) {
    const std::vector<TarMember> members = list_tar(file);
    if (members.size() != 2 * images.size()) {
      return problem("structure", fmt::format("{} holds {} files, not two for each of its {} images", file.path(),
                                              members.size(), images.size()));
    }
    for (size_t i = 0; i < images.size(); ++i) {
      const TarMember &image = members[2 * i], &label = members[2 * i + 1];
      if (image.offset != static_cast<int64_t>(images[i].offset) || image.size != images[i].bytes) {
        return problem("structure", fmt::format("{}:{} lies elsewhere than the index says", file.path(), image.path));
      }
      std::string digits(static_cast<size_t>(std::min<int64_t>(label.size, 16)), '\0');
      file.read(label.offset, static_cast<int64_t>(digits.size()), reinterpret_cast<uint8_t*>(digits.data()));
      if (digits != std::to_string(images[i].label)) {
        problem("label",
                fmt::format("{}:{} says '{}', the index {}", file.path(), label.path, digits, images[i].label));
      }
    }
  }

  void find_duplicates() {
    using Key = std::pair<uint64_t, uint32_t>;
    const auto key_of = [](const PackedImage& image) { return Key{image.checksum, image.bytes}; };
    std::vector<std::pair<Key, size_t>> known;
    const auto& training = halves_[0].index.images;
    for (size_t i = 0; i < training.size(); ++i) known.emplace_back(key_of(training[i]), i);
    std::ranges::sort(known);
    for (const PackedImage& image : halves_[1].index.images) {
      const auto found = std::lower_bound(known.begin(), known.end(), std::pair{key_of(image), size_t{0}});
      if (found == known.end() || found->first != key_of(image)) continue;
      const PackedImage& twin = training[found->second];
      report_.notes.push_back(
          {.kind = "duplicate",
           .message = fmt::format("{} has the bytes of {}{}", name_of(halves_[1], image), name_of(halves_[0], twin),
                                  twin.label == image.label ? "" : ", under another label")});
    }
  }

  std::string name_of(const Half& half, const PackedImage& image) const {
    std::string path = shard_path(folder_, half.split, image.shard);
    try {
      return fmt::format("{}:{}", path, member_name(FileReader(path), static_cast<int64_t>(image.offset)));
    } catch (const DataError&) {
      return path;
    }
  }

  const std::string folder_;
  const Depth depth_;
  const int64_t workers_;
  const std::function<void(const PackProgress&)>& report_progress_;
  std::vector<Half> halves_;
  std::vector<std::string> classes_;
  std::mutex mutex_;  // guards the members below
  VerifyReport report_;
  PackProgress progress_;
};

}  // namespace

VerifyReport verify(const std::string& folder, Depth depth, int64_t workers,
                    const std::function<void(const PackProgress&)>& progress) {
  return Verifier(folder, depth, workers, progress).run();
}

}  // namespace bn
