// The classes of a data set and their indices: from a file, or from the names found, sorted.
#pragma once

#include <functional>
#include <string>
#include <unordered_map>
#include <vector>

#include "bn/dataset.hpp"

namespace bn {

class ClassList {
 public:
  // origin names the list in messages: "the classes file /data/synsets.txt".
  ClassList(std::vector<std::string> names, std::string origin);

  const std::vector<std::string>& names() const { return names_; }
  int64_t size() const { return static_cast<int64_t>(names_.size()); }
  int32_t find(const std::string& name) const;  // -1: not in the list

  // DataError naming the first class without an image.
  void check_none_empty(const std::vector<int32_t>& labels, const std::string& source) const;

 private:
  std::vector<std::string> names_;
  std::string origin_;
  std::unordered_map<std::string, int32_t> indices_;
};

// First word of each line that has one; at most limit of them (0 = all).
ClassList read_class_file(const std::string& path, int64_t limit);

// The list for a split whose own images have the class names found. Without a classes file the training set decides,
// and a validation set with other names is an error; training_names is called only then.
ClassList choose_classes(const DataOptions& options, Split split, std::vector<std::string> found,
                         const std::function<std::vector<std::string>()>& training_names);

// The kinds that has_image_name() knows, for messages.
inline constexpr const char* kImageKinds = "JPEG, PNG, BMP, WebP, PPM, PGM and TIFF";

// True if a file of this name is taken for an image; hidden files (.x.jpg, ._x.jpg) are not, nor what lies in a hidden
// folder or in one of thumbnails (@eaDir, __MACOSX).
bool has_image_name(const std::string& path);
bool is_hidden_name(const std::string& name);  // `name`: a file's or a folder's

// Gives the folder that names the class of each path in an archive: the first below those that all paths begin with, as
// in a folder of class folders. "train/ant/red/1.jpg" beside "train/bee/2.jpg" is an ant. "" for a path in no folder.
class ClassFolders {
 public:
  void add(const std::string& path);  // all of them, before the first question
  std::string of(const std::string& path) const;

 private:
  bool is_empty_ = true;
  std::vector<std::string> common_{};  // the folders that all paths begin with
};

}  // namespace bn
