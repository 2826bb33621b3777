// The classes of a data set and their indices: from a file, or from the names found, sorted.
#pragma once

#include <functional>
#include <map>
#include <optional>
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

// First word of each line that has one, or the whole line where a class of that name was `found`; at most limit of them
// (0 = all).
ClassList read_class_file(const std::string& path, int64_t limit, const std::vector<std::string>& found = {});

// The classes that the options list: those of the run, or of the classes file, at most limit of these (0 = all).
std::optional<ClassList> listed_classes(const DataOptions& options, int64_t limit);

// Names the classes that a list leaves out, each with its number of images.
void add_unlisted(const std::map<std::string, int64_t>& images_by_class, LeftOut& left_out);

// The list for a split whose own images have the class names found. Without a classes file the training set decides,
// and a validation set with other names is an error; training_names is called only then.
ClassList choose_classes(const DataOptions& options, Split split, std::vector<std::string> found,
                         const std::function<std::vector<std::string>()>& training_names);

// The kinds that has_image_name() knows, for messages.
inline constexpr const char* kImageKinds = "JPEG, PNG, BMP, WebP, PPM, PGM and TIFF";

// True if a file of this name is taken for an image; hidden files (.x.jpg, ._x.jpg) are not, nor what lies in a hidden
// folder, in a recycle bin or in one of thumbnails (@eaDir, __MACOSX).
bool has_image_name(const std::string& path);
bool is_hidden_name(const std::string& name);      // `name`: a file's or a folder's
bool is_thumbnails_name(const std::string& name);  // of a folder, which is no part of the class that it lies in

// True if each name, of two or more, is that of a part of a data set, as "train" and "val" are: such folders hold class
// folders of their own.
bool are_names_of_sets(const std::vector<std::string>& names);

// Gives the folder that names the class of each path in an archive, as in a folder of class folders: the first below
// those that all paths begin with. "train/ant/red/1.jpg" beside "train/bee/2.jpg" is an ant, and "train/cover.jpg"
// beside them belongs to no class. If all paths lie in one folder, that is the class.
class ClassFolders {
 public:
  void add(const std::string& path);  // all of them, before the first question
  // "" for a path in no folder of a class, and for thumbnails in one.
  std::string of(const std::string& path) const;

  const std::vector<std::string>& common() const { return common_; }  // the folders that all paths begin with
  bool is_one_folder() const { return longest_ == common_.size(); }   // all paths lie in the last of these
  // The first folder of common() that is one of the classes names the class of all paths.
  void prefer(const ClassList& classes);

 private:
  bool is_empty_ = true;
  size_t longest_ = 0;  // the most folders of a path
  std::vector<std::string> common_{};
  std::optional<size_t> preferred_{};
};

// Throws DataError where several archives leave open at which folder their classes begin: ant/red/1.jpg and
// ant/blue/2.jpg in one beside bee/1.jpg in another, or n01/images/1.jpg beside n02/images/2.jpg.
void expect_plain_classes(const std::vector<ClassFolders>& archives, const std::vector<std::string>& names);

}  // namespace bn
