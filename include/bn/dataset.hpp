// Images and labels, opened in place. Knows no backend and no network.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "bn/data_options.hpp"

namespace bn {

enum class Split { kTrain, kValidation };

// Files that lie among the images of a set but are not part of it: what is no image by its name, hidden folders, links
// that lead nowhere.
struct LeftOut {
  int64_t count = 0;
  std::vector<std::string> names{};  // the first ten
  int64_t photos = 0;                // those of them that are pictures in a format that is not read: HEIC, AVIF, GIF

  void add(const std::string& name);
  void add(const LeftOut& more);
  std::string list() const;  // "a.txt, b.txt and 7 more", and what to do about photos
};

// A set of labelled images. read() is thread-safe.
class Dataset {
 public:
  virtual ~Dataset() = default;
  virtual int64_t size() const = 0;
  virtual int32_t label(int64_t index) const = 0;
  virtual std::string name(int64_t index) const = 0;  // messages show it: "val.tar:val/n01443537/val_12.JPEG"
  // The same wherever the set lies: "n01443537/val_12.JPEG" of a folder of images.
  virtual std::string name_in_set(int64_t index) const { return name(index); }
  virtual std::string file_name(int64_t index) const;  // of its file alone: "val_12.JPEG"
  virtual const std::vector<std::string>& class_names() const = 0;
  virtual LeftOut left_out() const { return {}; }
  // The size of the image's file where that is known without reading it, else 0.
  virtual int64_t stored_bytes(int64_t) const { return 0; }
  // Returns the XXH3 of all the image's encoded bytes where the set has recorded it; nothing is read.
  virtual std::optional<uint64_t> recorded_checksum(int64_t) const { return std::nullopt; }
  // Returns a number that is equal for images whose files hold the same bytes, whatever their names. It reads the
  // image, or so many parts of it, `most` bytes in all, where it has more. Throws as read() does.
  virtual uint64_t content_digest(int64_t index, int64_t most, int64_t parts) const;
  // The same, by the two ends of a large image: few images differ in their middle alone. What a split keeps for
  // validation depends on it, so it stays as it is.
  static constexpr int64_t kKeyBytes = 65'536, kKeyParts = 2;
  uint64_t content_key(int64_t index) const { return content_digest(index, kKeyBytes, kKeyParts); }
  // The number of images in each file that holds many, in the order of their indices.
  virtual std::vector<int64_t> shard_sizes() const { return {size()}; }

  // Either encoded bytes (JPEG, PNG, ...) or raw u8 pixels of a fixed size.
  struct Sample {
    const uint8_t* data = nullptr;  // valid until the next read() with the same storage
    int64_t bytes = 0;
    int64_t raw_height = 0, raw_width = 0, raw_channels = 0;  // 0: encoded
    // A set made at about the size the network wants is resized to just that; pixels of pictures, decoded once, are
    // treated as the pictures would be.
    enum class Resizing { kDirect, kAsEncoded };
    Resizing resizing = Resizing::kDirect;
  };
  // Throws DataError; storage then holds what was read of this image, never another one.
  virtual Sample read(int64_t index, std::vector<uint8_t>& storage) const = 0;
};

// Tells sets apart by their images in order: 16 hexadecimal digits of the labels, file names and sizes, then a hyphen
// and 16 of the contents (content_digest), unless more than 2 GB would have to be read for these: up to 1 MB of an
// image or, where that is too much, up to 64 kB. "2-" stands before them where an image has more than 64 kB, of which
// earlier versions read the two ends. Of more than 200,000 images no sizes count, and contents only where the set has
// recorded them. The place of a set does not matter.
std::string fingerprint(const Dataset& set);
std::string earlier_fingerprint(const Dataset& set);  // the one of earlier versions

// Throws DataError: missing file, truncated gz or idx, count mismatch, an empty class, ... naming the file.
std::unique_ptr<Dataset> open_dataset(const DataOptions& options, Split split);

// Images in tar files or folders without class folders, as the official validation archive has them, labelled by a file
// of lines "NAME INDEX". DataError unless each image has one label and each label one image.
std::unique_ptr<Dataset> open_labelled_images(const std::vector<std::string>& paths, const std::string& labels);
// `images` without those named, a line each, in a file: NAME.JPEG, NAME, or a number N for ILSVRC2012_val_N. DataError
// for a line that names no image.
std::unique_ptr<Dataset> exclude_images(std::unique_ptr<Dataset> images, const std::string& list);

// Image files, and those in folders, in the order given and sorted within a folder. Their labels are unknown and say 0.
// Each path that is not there adds a sentence to `unreadable`, and each folder that cannot be read "FOLDER: the
// reason". Throws DataError where no image is found.
std::unique_ptr<Dataset> open_unlabelled_images(const std::vector<std::string>& paths,
                                                const std::vector<std::string>& classes,
                                                std::vector<std::string>& unreadable);

// Whether the image's EXIF data turn or mirror it. Throws as Dataset::read() does.
bool is_turned_by_exif(const Dataset& images, int64_t index);
// The decoded image's, in pixels. Throws DataError.
int64_t shorter_side(const Dataset& images, int64_t index, const DataOptions& data);

// Why the image cannot be decoded; "" where it can be.
std::string reason_unreadable(const Dataset& images, int64_t index, const DataOptions& data);

// Returns what the classes file has on each class behind its name, such as "tench, Tinca tinca" for n01440764, in the
// order of `names`. It is empty where the set has no such file, or one of names alone.
std::vector<std::string> class_words(const DataOptions& options, const std::vector<std::string>& names);

// Resolves a path of the configuration against BN_DATA_ROOT; DataError when relative and the variable is unset.
std::string resolve_data_path(const std::string& path);

std::string image_library();  // the library that is loaded: "OpenCV 4.6.0"

}  // namespace bn
