#include "packing/pack.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <filesystem>
#include <mutex>
#include <numeric>
#include <optional>
#include <unordered_set>

#include "bn/error.hpp"
#include "bn/rng.hpp"
#include "data/file_reader.hpp"
#include "data/parallel.hpp"
#include "data/tar.hpp"
#include "packing/image_packer.hpp"
#include "packing/tar_writer.hpp"
#include "system/files.hpp"

namespace bn {
namespace {

namespace fs = std::filesystem;

void require(bool holds, const char* what) {
  if (!holds) throw ConfigError(fmt::format("pack: {}", what));
}

void check(const PackOptions& options) {
  constexpr int64_t kMaxShards = 65536, kMaxSide = 4096;
  require(options.shards >= 1 && options.shards <= kMaxShards, "the number of shards must be 1 to 65536");
  require(options.resize_shorter >= 0 && options.resize_shorter <= kMaxSide, "resize-shorter must be 0 to 4096");
  require(options.decoded_size >= 0 && options.decoded_size <= kMaxSide, "decoded must be 0 to 4096");
  require(options.resize_shorter == 0 || options.decoded_size == 0, "resize-shorter and decoded exclude each other");
  require(options.quality >= 1 && options.quality <= 100, "quality must be 1 to 100");
  require(options.workers >= 1, "there must be at least one worker");
}

std::string stem_of(const std::string& file) {
  std::string stem = fs::path(file).stem().string();
  std::ranges::replace(stem, '.', '_');  // a key ends at its first dot, say readers of such shards
  return stem;
}

// A name ends at the first space of its line in classes.txt.
void check_class_names(const std::vector<std::string>& names) {
  const auto is_space = [](char c) { return std::isspace(static_cast<unsigned char>(c)) != 0; };
  for (const std::string& name : names) {
    if (std::ranges::none_of(name, is_space)) continue;
    std::string better = name;
    std::ranges::replace_if(better, is_space, '_');
    throw DataError(fmt::format(
        "the class '{}' cannot be packed: classes.txt ends a name at the first space; rename its folder ({})", name,
        better));
  }
}

// True if the file has the form of a shard. A run that was killed may have left one without a note of it.
bool is_shard(const std::string& path) {
  try {
    const std::vector<TarMember> members = list_tar(FileReader(path));
    for (size_t i = 1; i < members.size(); i += 2) {
      if (!members[i].path.ends_with(".cls")) return false;
    }
    return members.size() % 2 == 0;
  } catch (const DataError&) {
    return false;
  }
}

// Held until the descriptor is closed, however the process ends. The folder itself is locked, so no file is left in it.
FileDescriptor lock_folder(const std::string& folder) {
  FileDescriptor file(open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  // Where there is no such folder the first write says so; some file systems have no locks.
  if (file && flock(file.get(), LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
    throw StorageError(fmt::format("'{}' is in use: another process packs into it; wait until it has ended", folder));
  }
  return file;
}

class Packer {
 public:
  Packer(const Dataset& source, const PackOptions& options, const std::function<void(const PackProgress&)>& progress)
      : source_(source), options_(options), report_(progress) {
    check(options);
    check_class_names(source.class_names());
    shards_ = std::min(options.shards, source.size());
    progress_.total = source.size();
    if (options_.class_lines.empty()) options_.class_lines = source.class_names();
  }

  PackSummary run() {
    const std::string path = index_path(options_.out, options_.split);
    prepare_folder();
    draw_order();
    earlier_plan_ = hash_of_earlier_plan();
    plan_ = hash_of_plan(fingerprint(source_));
    if (fs::exists(path) && is_complete(read_index(path))) {
      summary_.shards_found = shards_;
    } else {
      find_namesakes();
      parallel_for(shards_, options_.workers, [this] {
        return [this, packer = std::make_shared<ImagePacker>(options_)](int64_t shard) { pack_shard(shard, *packer); };
      });
      const PackedIndex joined = joined_index();
      expect_all_classes(joined);
      write_file(path, write_index(joined));
    }
    for (int64_t shard = 0; shard < shards_; ++shard) fs::remove(part_path(shard));
    return finish(read_index(path));
  }

 private:
  bool is_name_of_ours(const std::string& name) const {
    const std::string split = split_name(options_.split);
    if (name == "classes.txt" || name == split + ".index") return true;
    constexpr size_t kDigits = 5;
    const std::string rest = name.starts_with(split + "-") ? name.substr(split.size() + 1) : "";
    const bool is_numbered = rest.find_first_not_of("0123456789") == kDigits;
    return is_numbered && (rest.substr(kDigits) == ".tar" || rest.substr(kDigits) == ".tar.part");
  }

  std::string part_path(int64_t shard) const { return shard_path(options_.out, options_.split, shard) + ".part"; }

  void prepare_folder() {
    std::error_code error;  // if it stays, the first write says so
    fs::create_directories(options_.out, error);
    lock_ = lock_folder(options_.out);
    for (const fs::directory_entry& entry : read_folder(options_.out).entries) {
      const std::string name = entry.path().filename().string();
      if (is_temporary_name(name) && is_name_of_ours(name.substr(0, name.rfind(".tmp.")))) {
        fs::remove(entry.path(), error);
      }
    }
    std::string classes, present;
    for (const std::string& line : options_.class_lines) classes += line + "\n";
    class_checksum_ = checksum_of(classes);
    if (read_file(classes_path(options_.out), present) == ReadResult::kMissing) {
      write_file(classes_path(options_.out), classes);
    } else if (present != classes) {
      throw DataError(fmt::format("{} names other classes than this set has; pack into an empty folder",
                                  classes_path(options_.out)));
    }
  }

  // Shard s gets the images order_[s n / N] to order_[(s + 1) n / N - 1], in this order.
  void draw_order() {
    order_.resize(static_cast<size_t>(source_.size()));
    std::iota(order_.begin(), order_.end(), int64_t{0});
    RandomStream random(options_.seed, hash_name("data/pack"), static_cast<uint64_t>(options_.split));
    for (int64_t i = source_.size() - 1; i > 0; --i) {
      std::swap(order_[static_cast<size_t>(i)], order_[static_cast<size_t>(random.uniform_index(i + 1))]);
    }
  }

  // The key has no extension. Readers of such shards take the files of one key for one sample.
  std::string key_of(int64_t image) const {
    const std::string& folder = source_.class_names()[static_cast<size_t>(source_.label(image))];
    return folder + "/" + stem_of(source_.file_name(image));
  }

  // Finds the images that only another folder or extension tells apart, and that so need a number in their keys.
  void find_namesakes() {
    std::vector<std::pair<uint64_t, int64_t>> keys;
    for (int64_t i = 0; i < source_.size(); ++i) {
      keys.emplace_back(checksum_of(key_of(i)), i);
    }
    std::ranges::sort(keys);
    for (size_t i = 1; i < keys.size(); ++i) {
      if (keys[i].first == keys[i - 1].first) namesakes_.insert({keys[i].second, keys[i - 1].second});
    }
    // A key with its number may be another image's without one, which then needs a number, too.
    const auto is_before = [](const auto& key, uint64_t hash) { return key.first < hash; };
    for (std::vector<int64_t> fresh(namesakes_.begin(), namesakes_.end()); !fresh.empty();) {
      const uint64_t hash = checksum_of(numbered_key(fresh.back()));
      fresh.pop_back();
      const auto found = std::lower_bound(keys.begin(), keys.end(), hash, is_before);
      if (found == keys.end() || found->first != hash) continue;
      if (namesakes_.insert(found->second).second) fresh.push_back(found->second);
    }
  }

  std::string numbered_key(int64_t image) const { return fmt::format("{}-{}", key_of(image), image); }

  // Names, labels and sizes, as the first versions had them. A set that an earlier version began is continued.
  uint64_t hash_of_earlier_plan() const {
    uint64_t hash =
        checksum_of(fmt::format("{} {} {} {} {} {} {}", source_.size(), shards_, options_.seed, options_.resize_shorter,
                                options_.quality, options_.decoded_size, class_checksum_));
    for (int64_t i = 0; i < source_.size(); ++i) {
      hash =
          checksum_of(fmt::format("{:x} {} {} {}", hash, source_.name(i), source_.label(i), source_.stored_bytes(i)));
    }
    return hash;
  }

  uint64_t hash_of_plan(const std::string& fingerprint) const {
    const bool is_turned = options_.exif_orientation == ExifOrientation::kApply;
    return checksum_of(fmt::format("{:x} {}{}", earlier_plan_, fingerprint, is_turned ? " upright" : ""));
  }

  void expect_same_plan(const PackedIndex& index) const {
    const bool is_earlier = index.plan == earlier_plan_ && options_.exif_orientation == ExifOrientation::kIgnore;
    if (index.plan == plan_ || is_earlier || index.plan == hash_of_plan(earlier_fingerprint(source_))) return;
    throw DataError(fmt::format(
        "{} holds a {} set that was packed from other images or with other options; pack into an empty folder",
        options_.out, split_name(options_.split)));
  }

  bool is_there(int64_t shard, const PackedShard& packed) const {
    std::error_code error;  // then the size is that of no file
    return fs::file_size(shard_path(options_.out, options_.split, shard), error) == packed.bytes;
  }

  // True if all that the index names is there. If a shard was lost, the others become parts again, as if packing had
  // been interrupted.
  bool is_complete(const PackedIndex& index) const {
    expect_same_plan(index);
    std::vector<PackedIndex> parts;
    bool complete = true;
    for (size_t shard = 0; shard < index.shards.size(); ++shard) {
      parts.push_back({.plan = plan_, .shards = {index.shards[shard]}});
      complete = complete && is_there(static_cast<int64_t>(shard), index.shards[shard]);
    }
    if (complete) return true;
    for (PackedImage image : index.images) {
      PackedIndex& part = parts[image.shard];
      image.shard = 0;
      part.images.push_back(image);
    }
    for (size_t shard = 0; shard < parts.size(); ++shard) {
      write_file(part_path(static_cast<int64_t>(shard)), write_index(parts[shard]));
    }
    fs::remove(index_path(options_.out, options_.split));
    return false;
  }

  std::optional<PackedIndex> finished_part(int64_t shard) const {
    if (!fs::exists(part_path(shard))) return std::nullopt;
    PackedIndex index = read_index(part_path(shard));
    expect_same_plan(index);
    if (index.shards.size() != 1 || !is_there(shard, index.shards[0])) return std::nullopt;
    return index;
  }

  void pack_shard(int64_t shard, ImagePacker& packer) {
    const int64_t begin = shard * source_.size() / shards_, end = (shard + 1) * source_.size() / shards_;
    if (finished_part(shard)) {
      add_progress(end - begin, end - begin);
      return;
    }
    const std::string path = shard_path(options_.out, options_.split, shard);
    if (fs::exists(path) && !fs::exists(part_path(shard)) && !is_shard(path)) {
      throw DataError(fmt::format("{} is there and was not made by bn-data pack; pack into an empty folder", path));
    }
    TarWriter tar(path);
    PackedIndex index{.plan = plan_};
    std::vector<uint8_t> storage;
    for (int64_t i = begin; i < end; ++i) {
      const int64_t image = order_[static_cast<size_t>(i)];
      if (const auto packed = pack_image(image, packer, storage, tar)) index.images.push_back(*packed);
      add_progress(1, 0);
    }
    const TarWriter::Result result = tar.finish();
    index.shards.push_back({.bytes = static_cast<uint64_t>(result.bytes), .checksum = result.checksum});
    write_file(part_path(shard), write_index(index));  // last: it says that the shard is whole
  }

  std::optional<PackedImage> pack_image(int64_t image, ImagePacker& packer, std::vector<uint8_t>& storage,
                                        TarWriter& tar) {
    const std::string name = source_.name(image);
    ImagePacker::Result result;
    try {
      const Dataset::Sample sample = source_.read(image, storage);
      result = packer.prepare(sample.data, sample.bytes);
    } catch (const DataError& error) {
      const std::string message = fmt::format("{}: {}", name, error.what());
      if (options_.on_corrupt == OnCorrupt::kFail) {
        throw DataError(message + "; --on-corrupt skip would pack the others");
      }
      const std::lock_guard lock(mutex_);
      summary_.left_out_names.push_back(message);
      return std::nullopt;
    }
    const int32_t label = source_.label(image);
    const std::string key = namesakes_.contains(image) ? numbered_key(image) : key_of(image);
    PackedImage packed{.checksum = checksum_of(result.bytes, result.size),
                       .bytes = static_cast<uint32_t>(result.size),
                       .label = label,
                       .width = static_cast<uint16_t>(result.inspection.width),
                       .height = static_cast<uint16_t>(result.inspection.height),
                       .traits = result.inspection.traits};
    packed.offset = static_cast<uint64_t>(tar.append(key + "." + result.extension, result.bytes, result.size));
    const std::string digits = std::to_string(label);
    tar.append(key + ".cls", reinterpret_cast<const uint8_t*>(digits.data()), static_cast<int64_t>(digits.size()));
    return packed;
  }

  void add_progress(int64_t images, int64_t found) {
    const std::lock_guard lock(mutex_);
    progress_.images += images;
    progress_.found += found;
    summary_.shards_found += found > 0 ? 1 : 0;
    report_(progress_);
  }

  PackedIndex joined_index() const {
    PackedIndex joined{.plan = plan_,
                       .class_checksum = class_checksum_,
                       .decoded_size = static_cast<uint32_t>(options_.decoded_size),
                       .origin = options_.origin};
    for (int64_t shard = 0; shard < shards_; ++shard) {
      PackedIndex part = finished_part(shard).value();
      joined.shards.push_back(part.shards.at(0));
      for (PackedImage& image : part.images) {
        image.shard = static_cast<uint16_t>(shard);
        joined.images.push_back(image);
      }
    }
    return joined;
  }

  // A class whose images all were left out would be missing without a word.
  void expect_all_classes(const PackedIndex& index) const {
    std::vector<int64_t> images(source_.class_names().size()), packed(images.size());
    for (int64_t i = 0; i < source_.size(); ++i) ++images[static_cast<size_t>(source_.label(i))];
    for (const PackedImage& image : index.images) ++packed[static_cast<size_t>(image.label)];
    for (size_t i = 0; i < images.size(); ++i) {
      if (images[i] == 0 || packed[i] > 0) continue;
      throw DataError(
          fmt::format("none of the {} images of the class '{}' can be decoded, so the {} set would lack it: mend them, "
                      "or name the other classes in a file (--classes)",
                      images[i], source_.class_names()[i], split_name(options_.split)));
    }
  }

  PackSummary finish(const PackedIndex& index) {
    summary_.images = static_cast<int64_t>(index.images.size());
    summary_.shards = static_cast<int64_t>(index.shards.size());
    for (const PackedShard& shard : index.shards) summary_.bytes += static_cast<int64_t>(shard.bytes);
    summary_.left_out = source_.size() - summary_.images;
    std::ranges::sort(summary_.left_out_names);
    summary_.traits = count_traits(index);
    return summary_;
  }

  const Dataset& source_;
  PackOptions options_;
  const std::function<void(const PackProgress&)>& report_;
  FileDescriptor lock_;
  int64_t shards_ = 0;
  std::vector<int64_t> order_;
  std::unordered_set<int64_t> namesakes_;
  uint64_t plan_ = 0, earlier_plan_ = 0, class_checksum_ = 0;
  std::mutex mutex_;  // guards the members below
  PackProgress progress_;
  PackSummary summary_;
};

}  // namespace

const std::array<const char*, std::tuple_size_v<TraitCounts>> kTraitNames{"gray",
                                                                          "CMYK or YCCK",
                                                                          "not JPEG",
                                                                          "progressive",
                                                                          "turned by EXIF",
                                                                          "oddly coded, but sound",
                                                                          "encoded anew without being turned by EXIF"};

std::string list_traits(const TraitCounts& traits) {
  std::string lines;
  for (size_t i = 0; i < traits.size(); ++i) {
    if (traits[i] > 0) lines += fmt::format("  {}: {}\n", kTraitNames[i], traits[i]);
  }
  return lines;
}

TraitCounts count_traits(const PackedIndex& index) {
  TraitCounts counts{};
  for (const PackedImage& image : index.images) {
    for (size_t bit = 0; bit < counts.size(); ++bit) counts[bit] += image.traits >> bit & 1;
  }
  return counts;
}

PackSummary pack(const Dataset& source, const PackOptions& options,
                 const std::function<void(const PackProgress&)>& progress) {
  return Packer(source, options, progress).run();
}

}  // namespace bn
