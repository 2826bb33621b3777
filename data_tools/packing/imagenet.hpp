// The ImageNet classification set of 2012 as its publisher hands it out: a tar of a thousand tars, one a class, and a
// flat tar of validation images whose labels are known by their numbers. Both are read where they lie, never unpacked.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "bn/dataset.hpp"
#include "data/class_list.hpp"
#include "data/packed_index.hpp"

namespace bn {

struct ImagenetClass {
  std::string name;         // "n01440764"
  std::string description;  // "tench, Tinca tinca"
  int64_t training_images = 0;
};
const std::vector<ImagenetClass>& imagenet_classes();      // sorted by index and so by name
const std::vector<int32_t>& imagenet_validation_labels();  // [i] is the label of image number i + 1
inline constexpr int64_t kImagenetValidationImagesPerClass = 50;

struct ImagenetArchive {
  int64_t bytes;
  const char* md5;
};
ImagenetArchive imagenet_archive(Split split);

// kOfficialImageNet if the file has the size and the MD5. DataError if it has the size only. A note of the result, a
// file, saves a continued run from reading the archive again; progress is called with the bytes done.
Origin check_archive(const std::string& path, const ImagenetArchive& official, const std::string& note,
                     const std::function<void(int64_t)>& progress);

// The images of the classes, in the archive's order. Throws DataError for what does not belong into the archive.
std::unique_ptr<Dataset> open_imagenet_archive(const std::string& path, Split split, const ClassList& classes);

// MD5 of the file as 32 digits; progress is called with the bytes done.
std::string md5_of_file(const std::string& path, const std::function<void(int64_t)>& progress);

}  // namespace bn
